package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/zsyncfs/zsyncfs/cmd/internal/config"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/manpage"
)

// newManCommand writes the manual pages. Users do not call it: packages have them.
func newManCommand() *cobra.Command {
	var programs []string
	cmd := &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the manual pages",
		Example: "  zsyncfs man /usr/share/man --program ./zsync --program ./zsyncmake",
		Hidden:  true,
		Args:    wantArgs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pages := commandPages(cmd.Root())
			for _, program := range programs {
				page, err := programPage(program)
				if err != nil {
					return err
				}
				pages = append(pages, page)
			}
			return writePages(args[0], pages)
		},
	}
	cmd.Flags().StringArrayVar(&programs, "program", nil, "write that of zsync or zsyncmake too, from what the program at `PATH` says with --help")
	return cmd
}

func writePages(dir string, pages []*manpage.Page) error {
	for _, p := range pages {
		section := filepath.Join(dir, fmt.Sprintf("man%d", p.Section))
		if err := os.MkdirAll(section, 0o755); err != nil {
			return err
		}
		f, err := os.Create(filepath.Join(section, p.File()))
		if err != nil {
			return err
		}
		if err := p.Write(f); err != nil {
			f.Close()
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

func newPage(name string, section int, summary string) *manpage.Page {
	return &manpage.Page{
		Name: name, Section: section, Summary: summary,
		Manual: "zsyncfs manual", Version: "zsyncfs " + currentVersion().Version,
	}
}

// commandPages are those of the program, of each command, and of the mount helper.
func commandPages(root *cobra.Command) []*manpage.Page {
	top := newPage("zsyncfs", 1, lower(root.Short))
	top.Synopsis = []string{"zsyncfs COMMAND [OPTION]..."}
	var commands strings.Builder
	pages := []*manpage.Page{top, helperPage()}
	for _, c := range root.Commands() {
		if !c.IsAvailableCommand() || c.Name() == "completion" || c.Name() == "help" {
			continue
		}
		page := commandPage(c)
		pages = append(pages, page)
		fmt.Fprintf(&commands, "  zsyncfs %s  %s; see zsyncfs-%s(1)\n", c.Name(), lower(c.Short), c.Name())
		top.SeeAlso = append(top.SeeAlso, page.Name+"(1)")
	}
	top.Text = rootLong
	top.Examples = root.Example
	top.Flags = []manpage.Flags{{Set: root.PersistentFlags()}}
	top.More = []manpage.Chapter{{Title: "Commands", Text: commands.String()}, exitStatus(), {Title: "Files", Text: filesText}, environment()}
	top.SeeAlso = append(top.SeeAlso, "mount.zsyncfs(8)", "zsync(1)", "zsyncmake(1)", "fusermount3(1)")
	return pages
}

const filesText = `  ` + config.System + `  configuration of root; of others ~/.config/zsyncfs/config.toml
  ` + daemon.SystemStore + `  block store of root; of others ~/.cache/zsyncfs
  CACHE-DIR/daemon.log  messages of the daemon in the background
  CACHE-DIR/socket  where the daemon answers
  /etc/fuse.conf  user_allow_other in it permits --allow-other to ordinary users
`

// environment says what variables there are.
func environment() manpage.Chapter {
	return manpage.Chapter{Title: "Environment", Text: `  ` + configEnv + `  the configuration file; empty for none
  ZSYNCFS_CACHE_DIR, ZSYNCFS_REFRESH, ...  what a flag has that was not typed: its name in capitals
  XDG_CACHE_HOME, XDG_CONFIG_HOME  where the folders of ordinary users are
  http_proxy, https_proxy, no_proxy  proxies, as curl has them
`}
}

func exitStatus() manpage.Chapter {
	_, list, _ := strings.Cut(exitCodeHelp(), "\n")
	return manpage.Chapter{Title: "Exit status", Text: list}
}

// commandPage is the page of a command, and of what is below it.
func commandPage(c *cobra.Command) *manpage.Page {
	page := newPage(strings.ReplaceAll(c.CommandPath(), " ", "-"), 1, lower(c.Short))
	page.Text = c.Long
	if page.Text == "" {
		page.Text = c.Short + "."
	}
	page.Examples = c.Example
	if !c.HasAvailableSubCommands() {
		page.Synopsis = synopses(c)
		page.Flags = []manpage.Flags{{Set: ownFlags(c)}}
	} else {
		if flags := c.PersistentFlags(); flags.HasAvailableFlags() {
			page.Flags = append(page.Flags, manpage.Flags{Set: flags})
		}
		var list strings.Builder
		for _, sub := range c.Commands() {
			if !sub.IsAvailableCommand() {
				continue
			}
			page.Synopsis = append(page.Synopsis, synopses(sub)...)
			fmt.Fprintf(&list, "  %s  %s\n", sub.Name(), lower(sub.Short))
			if flags := ownFlags(sub); flags.HasAvailableFlags() {
				page.Flags = append(page.Flags, manpage.Flags{Title: sub.Name(), Set: flags})
			}
		}
		page.More = append(page.More, manpage.Chapter{Title: "Commands", Text: list.String()})
	}
	page.SeeAlso = []string{"zsyncfs(1)"}
	switch c.Name() {
	case "mount":
		page.SeeAlso = append(page.SeeAlso, "zsyncfs-config(1)", "zsyncfs-umount(1)", "mount.zsyncfs(8)")
	case "config":
		page.SeeAlso = append(page.SeeAlso, "zsyncfs-mount(1)")
	}
	page.More = append(page.More, manpage.Chapter{Title: "Exit status", Text: "0 for success; zsyncfs(1) lists the others."})
	return page
}

// ownFlags are the flags of a command that its parents have not, in alphabetical order.
func ownFlags(c *cobra.Command) *pflag.FlagSet {
	set := pflag.NewFlagSet(c.Name(), pflag.ContinueOnError)
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if c.InheritedFlags().Lookup(f.Name) == nil {
			set.AddFlag(f)
		}
	})
	return set
}

// synopses are the ways to call a command.
func synopses(c *cobra.Command) (out []string) {
	_, use, _ := strings.Cut(c.Use, " ")
	for way := range strings.SplitSeq(use, " | ") {
		out = append(out, strings.TrimSpace(c.CommandPath()+" "+way)+" [OPTION]...")
	}
	return out
}

// lower is text that goes on in a sentence.
func lower(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToLower(text[:1]) + text[1:]
}

const helperText = `Mounts an archive as "zsyncfs mount" does, when mount(8) asks for it: by an entry of
/etc/fstab, a mount unit of systemd, or by hand.

SOURCE is the URL of a directory of control files or of one, or the name of an
archive in the configuration file (see zsyncfs-config(1)). Passwords belong there, or
into a netrc file: everybody can read fstab.

The mount is read-only, without devices and set-user-ID programs, whatever the options
say. Options of mount(8) and fstab (noauto, nofail, _netdev, user, x-systemd.automount,
...) have their meaning. All others are called as the flags of "zsyncfs mount", with
underscores or hyphens: allow_other, refresh=5m, cache_dir=/srv/cache. A value with a
comma stands in double quotes.

"mount -t fuse.zsyncfs" is the same.`

const helperExamples = `  # /etc/fstab: mounted when somebody looks, and without the network not at boot
  https://cdimage.example.org/daily/ /mnt/daily zsyncfs noauto,x-systemd.automount,_netdev,allow_other 0 0
  # an archive of /etc/zsyncfs/config.toml
  nightly /mnt/nightly zsyncfs noauto,x-systemd.automount,_netdev 0 0

  mount -t zsyncfs -o allow_other,refresh=5m https://cdimage.example.org/daily/ /mnt/daily
  umount /mnt/daily`

// helperPage is mount.zsyncfs(8).
func helperPage() *manpage.Page {
	page := newPage("mount.zsyncfs", 8, "mount a remote archive by mount(8) and fstab(5)")
	page.Synopsis = []string{"mount -t zsyncfs [-o OPTIONS] SOURCE DIR", "mount.zsyncfs SOURCE DIR [-sfnv] [-o OPTIONS]"}
	page.Text = helperText
	_, flags := newMountFlags()
	flags.String(configFlag, "", "configuration `FILE` (default "+config.System+")")
	var list strings.Builder
	for _, name := range slices.Sorted(slices.Values(flagNames(flags))) {
		flag := flags.Lookup(name)
		if notOptions[name] != "" || slices.Contains(kernelWords, name) || flag.Hidden {
			continue
		}
		value, usage := manpage.Usage(flag)
		if value != "" && flag.Value.Type() != "bool" {
			name += "=" + value
		}
		fmt.Fprintf(&list, "  %s  %s\n", name, usage)
	}
	page.More = []manpage.Chapter{
		{Title: "Options of the helper", Text: "  -s  leave out options that there are not\n  -f  check everything, and mount nothing\n  -n  ignored\n  -v  say what was mounted\n"},
		{Title: "Mount options", Text: list.String()},
		{Title: "Exit status", Text: "  0  it is mounted\n  1  wrong options or arguments\n  8  interrupted\n  32  the mount failed\n"},
	}
	page.Examples = helperExamples
	page.SeeAlso = []string{"zsyncfs-mount(1)", "zsyncfs-config(1)", "mount(8)", "fstab(5)", "systemd.automount(5)"}
	return page
}

// programSummaries are what the other programs do.
var programSummaries = map[string]string{
	"zsync":     "download or update a file, of which only what changed is fetched",
	"zsyncmake": "make a control file, by which zsync(1) and zsyncfs(1) fetch a file",
}

// programPage is the page of zsync or zsyncmake, from its help.
func programPage(path string) (*manpage.Page, error) {
	name := filepath.Base(path)
	if programSummaries[name] == "" {
		return nil, usageErrorf("--program %s: neither zsync nor zsyncmake", path)
	}
	text, err := exec.Command(path, "--help").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --help: %w", path, err)
	}
	usage, rest, _ := strings.Cut(string(text), "\n")
	page := newPage(name, 1, programSummaries[name])
	page.Synopsis = []string{strings.TrimPrefix(usage, "Usage: ")}
	page.Text = rest
	page.SeeAlso = []string{"zsyncfs(1)", "zsyncmake(1)"}
	if name == "zsyncmake" {
		page.SeeAlso = []string{"zsyncfs-make(1)", "zsync(1)"}
	}
	return page, nil
}
