package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

// version is stamped by the linker (-X main.version=...) in builds of
// scripts/build; otherwise the module's own version is used.
var version = ""

const fuseLibrary = "github.com/hanwen/go-fuse/v2"

// versionInfo is what "zsyncfs version" tells. The JSON names are stable.
type versionInfo struct {
	Version string `json:"version"`
	// Commit is empty when the binary was built outside a git checkout.
	Commit string `json:"commit,omitempty"`
	// Modified says that the checkout had changes that were not committed.
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	// Fuse is the version of the FUSE library that is linked in.
	Fuse string `json:"fuse,omitempty"`
}

func currentVersion() versionInfo {
	v := versionInfo{
		Version:  version,
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if ok {
		v.addBuildInfo(info)
	}
	if v.Version == "" {
		v.Version = "devel"
	}
	return v
}

func (v *versionInfo) addBuildInfo(info *debug.BuildInfo) {
	if v.Version == "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	for _, d := range info.Deps {
		if d.Path == fuseLibrary {
			v.Fuse = d.Version
		}
	}
}

func newVersionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  zsyncfs version --json",
		Args:    wantArgs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printVersion(cmd, currentVersion(), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printVersion(cmd *cobra.Command, v versionInfo, asJSON bool) error {
	out := cmd.OutOrStdout()
	if asJSON {
		return report.PrintJSON(out, v)
	}
	fmt.Fprintf(out, "zsyncfs %s\n", v.Version)
	if v.Commit != "" {
		modified := ""
		if v.Modified {
			modified = " (with changes)"
		}
		fmt.Fprintf(out, "commit  %s%s\n", v.Commit, modified)
	}
	fmt.Fprintf(out, "go      %s %s\n", v.Go, v.Platform)
	if v.Fuse != "" {
		fmt.Fprintf(out, "go-fuse %s\n", v.Fuse)
	}
	return nil
}
