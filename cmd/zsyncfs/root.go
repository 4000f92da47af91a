package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/zsyncfs/zsyncfs/cmd/internal/config"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

const rootLong = `zsyncfs mounts a remote directory of zsync control files (NAME.zsync) as a
local directory of read-only files. A file can be opened at once, however large
it is: blocks are fetched when they are read, verified, and kept on disk.

It can also download a file with the help of what is on disk (get), make the
control files of a directory, and serve one over HTTP.
`

// newRoot is the whole command tree.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "zsyncfs COMMAND",
		Short: "Mount remote archive directories and read before the download completes",
		Long:  rootLong + "\n" + exitCodeHelp(),
		Example: `  zsyncfs mount https://example.org/images/ /mnt/images
  zsyncfs serve /srv/images --listen 127.0.0.1:8080
  zsyncfs make -r /srv/images`,
		Version:       currentVersion().Version,
		SilenceUsage:  true, // report prints one error and one hint instead
		SilenceErrors: true,
		Args:          rootArgs,
		RunE:          runRoot,
	}
	root.PersistentFlags().String(configFlag, "", "configuration `FILE` (default "+config.System+" for root, ~/.config/zsyncfs/config.toml for others)")
	root.PersistentPreRunE = settleCommand
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(newHelpCommand())
	root.SetUsageTemplate(usageTemplate)
	root.AddCommand(newMountCommand(), newUmountCommand(), newStatusCommand())
	root.AddCommand(newGetCommand(), newPinCommand(), newDiffCommand(), newCacheCommand(), newConfigCommand(), newLogCommand(), newDuCommand(), newDoctorCommand())
	root.AddCommand(newMakeCommand(), newServeCommand(), newVersionCommand(), newManCommand())
	return root
}

// newHelpCommand is --help as a command; that of cobra succeeds for what there is not.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]...",
		Short:   "Tell more about a command",
		Example: "  zsyncfs help mount\n  zsyncfs help cache rm",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := commandAt(cmd.Root(), args)
			if err != nil {
				return err
			}
			return c.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			c, err := commandAt(cmd.Root(), args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return availableNames(c), cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// commandAt is the command that names lead to from c.
func commandAt(c *cobra.Command, names []string) (*cobra.Command, error) {
	for _, name := range names {
		i := slices.IndexFunc(c.Commands(), func(sub *cobra.Command) bool { return sub.Name() == name || sub.HasAlias(name) })
		if i < 0 {
			return nil, rootArgs(c, []string{name})
		}
		c = c.Commands()[i]
	}
	return c, nil
}

// availableNames are those of the commands right below c that are for users.
func availableNames(c *cobra.Command) (names []string) {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return names
}

// rootArgs is called when the first word is no command's name.
func rootArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "\"" + cmd.CommandPath() + " --help\" lists the commands"
	if near := report.Nearest(args[0], availableNames(cmd)); near != "" {
		hint = "did you mean \"" + cmd.CommandPath() + " " + near + "\"?"
	}
	return withHint(usageErrorf("unknown command %q", args[0]), "%s", hint)
}

func runRoot(cmd *cobra.Command, _ []string) error {
	return withHint(usageErrorf("no command given"), "\"%s --help\" lists the commands", cmd.CommandPath())
}
