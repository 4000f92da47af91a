package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

// kernelWords are options of mount(8) that a read-only mount without devices and setuid
// programs keeps anyway, or that are for mount(8) itself and fstab.
var kernelWords = []string{
	"defaults", "ro", "rw", "auto", "noauto", "user", "nouser", "users", "nousers", "owner", "noowner", "group", "nogroup",
	"_netdev", "nofail", "exec", "suid", "nosuid", "dev", "nodev", "async", "sync", "dirsync",
	"atime", "noatime", "relatime", "norelatime", "diratime", "nodiratime", "strictatime", "nostrictatime",
	"lazytime", "nolazytime", "iversion", "noiversion", "mand", "nomand", "silent", "loud", "nosymfollow", "symfollow",
	"default_permissions", "uhelper", "helper", "comment",
}

// notOptions are flags of "zsyncfs mount" that fstab, which everybody can read, may not
// have, or that make no sense there; with the reason.
var notOptions = map[string]string{
	"header":     "everybody can read /etc/fstab: put it into the configuration file",
	"foreground": "mount(8) waits until the mount is there, and no longer",
	"debug-fuse": "it is for the foreground: zsyncfs mount -f",
	"all":        "an entry is one mount",
	"help":       "see mount.zsyncfs(8)",
}

// mountWords are the flags of "zsyncfs mount" for options as mount(8) gives them: separated
// by commas, which may stand in double quotes. sloppy leaves out what there is not.
func mountWords(options string, sloppy bool) ([]string, error) {
	_, flags := newMountFlags()
	flags.String(configFlag, "", "")
	var words []string
	for _, option := range splitOptions(options) {
		name, value, valued := strings.Cut(option, "=")
		switch {
		case name == "user" && strings.Contains(value, ":"): // and not who may mount
			return nil, fmt.Errorf("option user: everybody can read /etc/fstab: put the password into a netrc file, or the configuration file")
		case name == "" || slices.Contains(kernelWords, name) || strings.HasPrefix(strings.ToLower(name), "x-"):
			continue
		case name == "remount":
			return nil, fmt.Errorf("option remount: unmount and mount again; what can be changed while it is mounted stands in \"zsyncfs config --help\"")
		}
		flag := flags.Lookup(strings.ReplaceAll(name, "_", "-"))
		switch {
		case flag != nil && notOptions[flag.Name] != "":
			return nil, fmt.Errorf("option %s: %s", name, notOptions[flag.Name])
		case flag == nil && sloppy:
			continue
		case flag == nil:
			return nil, unknownOption(name, flags)
		case !valued && flag.NoOptDefVal == "":
			return nil, fmt.Errorf("option %s wants a value: %s=%s", name, name, flag.Value.Type())
		case valued:
			words = append(words, "--"+flag.Name+"="+value)
		default:
			words = append(words, "--"+flag.Name)
		}
	}
	return words, nil
}

func unknownOption(name string, flags *pflag.FlagSet) error {
	near := report.Nearest(strings.ReplaceAll(name, "_", "-"), slices.DeleteFunc(flagNames(flags), func(n string) bool { return notOptions[n] != "" }))
	if near == "" {
		return fmt.Errorf("there is no option %q; mount.zsyncfs(8) lists them", name)
	}
	return fmt.Errorf("there is no option %q; did you mean %q?", name, near)
}

// splitOptions splits at commas outside of double quotes, which it takes away.
func splitOptions(text string) (out []string) {
	var word strings.Builder
	quoted := false
	for _, r := range text {
		switch {
		case r == '"':
			quoted = !quoted
		case r == ',' && !quoted:
			out = append(out, word.String())
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	return append(out, word.String())
}
