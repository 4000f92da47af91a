package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/cmd/internal/config"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/words"
)

const configLong = `The configuration file has settings for all archives, and archives with names:

    cache-size = "20G"               # settings of everything come first
    seed       = ["~/images"]

    [archive.daily]                  # zsyncfs mount daily
    source      = "https://cdimage.example.org/daily/"
    mount-point = "/mnt/daily"
    refresh     = "5m"

It is TOML (https://toml.io). A setting is called as the flag of "zsyncfs mount" whose
value it is; source and mount-point are for archives alone, and so is what is for one
source only: index-file, user, header, cert, key, insecure, mirror and
share-credentials. Relative paths begin at the file; "~/" is the home directory.

What is typed goes before the environment (a flag --cache-dir is ZSYNCFS_CACHE_DIR
there), that before the archive's table, and that before the settings of everything.
What other commands have of these flags they take from the first part of the file.

The file is /etc/zsyncfs/config.toml for root and ~/.config/zsyncfs/config.toml for
others, or what --config or ZSYNCFS_CONFIG name (nothing: none is read). With a
password in it nobody else may be able to read it; passwords are better kept in a file
that netrc names.

A daemon reads it again on SIGHUP ("systemctl reload"). What is changed for mounts while
they are mounted: refresh, read-deadline, fill, share, verify, seed, limit-rate,
cache-size, cache-min-free, log-level and http. Of other changes the log tells.`

func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config COMMAND",
		Short: "Check and show the configuration file",
		Long:  configLong,
		Example: `  zsyncfs config check
  zsyncfs config show daily`,
		Args: rootArgs,
		RunE: runRoot,
	}
	cmd.AddCommand(newConfigCheckCommand(), newConfigShowCommand(), newConfigPathCommand())
	return cmd
}

func newConfigCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Tell all that is wrong in the configuration file, with line and column",
		Example: `  zsyncfs config check
  zsyncfs config check /etc/zsyncfs/config.toml.new`,
		Args: wantArgs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if err := cmd.Flags().Set(configFlag, args[0]); err != nil {
					return err
				}
			}
			path, err := configPath(cmd.Flags())
			if err != nil {
				return err
			}
			file, faults, err := checkConfig(path)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			for _, fault := range faults {
				fmt.Fprintln(out, printable(fault.Error()))
			}
			if n := len(faults); n > 0 {
				return withCode(exitUsage, fmt.Errorf("%s has %s", path, words.Count(int64(n), "fault")))
			}
			fmt.Fprintf(out, "%s: %s, no faults\n", printable(path), words.Count(int64(len(file.Archives)), "archive"))
			return nil
		},
	}
}

func newConfigPathCommand() *cobra.Command {
	return &cobra.Command{
		Use: "path", Short: "Print which file is read", Args: wantArgs(0, 0),
		Example: "  $EDITOR \"$(zsyncfs config path)\"",
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := configPath(cmd.Flags())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), path)
			return err
		},
	}
}

// configPath is the file that is read, whether it is there or not.
func configPath(flags *pflag.FlagSet) (string, error) {
	path, _ := configName(flags)
	if path == "" {
		return "", withHint(withCode(exitUsage, errors.New("no configuration file is read here")), "--config names one")
	}
	return settledPath(path, "")
}

// checkConfig finds all faults of a file; err is why it cannot be read.
func checkConfig(path string) (file *config.File, faults []error, err error) {
	file, err = config.Read(path)
	var fault *config.Error
	switch {
	case errors.As(err, &fault):
		return nil, split(err), nil
	case errors.Is(err, os.ErrNotExist):
		return nil, nil, withHint(withCode(exitUsage, err), "\"zsyncfs config --help\" says what such a file has")
	case err != nil:
		return nil, nil, withCode(exitUsage, err)
	}
	faults = split(checkNames(file))
	points := map[string]string{} // the archive of each mount point
	for _, a := range file.Archives {
		spec, found := checkArchive(file, a.Name)
		for _, f := range found {
			if !slices.ContainsFunc(faults, func(e error) bool { return e.Error() == f.Error() }) {
				faults = append(faults, f)
			}
		}
		if other, taken := points[spec.Dir]; taken && spec.Dir != "" {
			faults = append(faults, file.At(a.Position, fmt.Errorf("archive %q has the mount point of archive %q: %s", a.Name, other, spec.Dir)))
		}
		points[spec.Dir] = a.Name
	}
	if len(file.Archives) == 0 {
		_, flags := newMountFlags()
		faults = append(faults, split(settleByFile(flags, file, nil))...)
	}
	slices.SortStableFunc(faults, byPlace)
	return file, faults, nil
}

// byPlace sorts faults by where they are in the file.
func byPlace(a, b error) int {
	var x, y *config.Error
	if !errors.As(a, &x) || !errors.As(b, &y) {
		return 0
	}
	return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column))
}

// checkArchive is what one archive says, and what is wrong with it.
func checkArchive(file *config.File, name string) (daemon.Spec, []error) {
	archive := file.Archive(name)
	_, flags := newMountFlags()
	if errs := split(settleByFile(flags, file, archive)); len(errs) > 0 {
		return daemon.Spec{}, errs
	}
	f, flags := newMountFlags()
	spec, err := f.complete(flags, []string{name}, file)
	var fault *config.Error
	switch {
	case errors.As(err, &fault):
		err = fault // without the words around it
	case err != nil:
		err = file.At(archive.Position, err)
	}
	return spec, split(err)
}

// split are the errors that errors.Join made one of; none for nil.
func split(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	var texts []string
	for _, e := range joined.Unwrap() {
		out = append(out, split(e)...)
		texts = append(texts, e.Error())
	}
	if strings.Join(texts, "\n") != err.Error() { // it has words of its own
		return []error{err}
	}
	return out
}

func newConfigShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show [ARCHIVE]",
		Short: "Show what is in force for an archive, and where that is said; without one, the archives",
		Example: `  zsyncfs config show
  zsyncfs config show daily`,
		Args:              wantArgs(0, 1),
		ValidArgsFunction: completeArchives,
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := checkedConfig(cmd.Flags())
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return showArchives(cmd.OutOrStdout(), file)
			}
			archive, err := findArchive(file, "", args)
			if err != nil {
				return err
			}
			if archive == nil {
				return usageErrorf("%q is not the name of an archive", args[0])
			}
			return showSettings(cmd.OutOrStdout(), file, archive)
		},
	}
}

func showArchives(w io.Writer, file *config.File) error {
	if file == nil {
		_, err := fmt.Fprintf(w, "no configuration file; it would be %s\n", config.Default())
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(file.Archives) > 0 {
		fmt.Fprintln(t, "ARCHIVE\tMOUNT POINT\tSOURCE")
	}
	for _, a := range file.Archives {
		dir, err := mountPointOf(file, &a)
		if err != nil {
			return err
		}
		source := cmp.Or(a.Value("source"), a.Value("index-file"))
		fmt.Fprintf(t, "%s\t%s\t%s\n", a.Name, printable(cmp.Or(dir, "(none)")), printable(shownSource(source)))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s in %s\n", words.Count(int64(len(file.Archives)), "archive"), printable(file.Path))
	return err
}

// shownSource is a source without its login and query; nothing of a URL with a login that
// is none, since it does not tell where that ends.
func shownSource(source string) string {
	if _, err := access.ParseURL(source); err != nil && strings.Contains(source, "://") && strings.Contains(source, "@") {
		return "(not a URL)"
	}
	return (&daemon.Spec{Source: source}).Name()
}

// secretSettings are those whose values are not shown.
var secretSettings = []string{"user", "header"}

// showSettings prints the settings of an archive in the order of the help.
func showSettings(w io.Writer, file *config.File, archive *config.Archive) error {
	_, flags := newMountFlags()
	if err := settleByEnvironment(flags); err != nil {
		return err
	}
	byEnvironment := map[string]bool{}
	flags.Visit(func(f *pflag.Flag) { byEnvironment[f.Name] = true })
	if err := settleByFile(flags, file, archive); err != nil {
		return configError(err)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SETTING\tVALUE\tSAID BY")
	for _, name := range notFlags {
		if v := archive.Value(name); v != "" {
			fmt.Fprintf(t, "%s\t%s\t%s\n", name, printable(shownSource(v)), saidBy(file, archive.Settings, name))
		}
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if _, ok := settings[f.Name]; !ok {
			return
		}
		from := "default"
		switch {
		case byEnvironment[f.Name]:
			from = envName(f.Name)
		case f.Changed:
			from = saidBy(file, archive.Settings, f.Name)
			if from == "" {
				from = saidBy(file, file.Settings, f.Name)
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.Name, printable(shownValue(f)), from)
	})
	return t.Flush()
}

// saidBy is where a list has a setting; "" when it has not.
func saidBy(file *config.File, list []config.Setting, name string) string {
	for _, s := range list {
		if s.Name == name {
			return fmt.Sprintf("%s:%d", printable(file.Path), s.Line)
		}
	}
	return ""
}

func shownValue(f *pflag.Flag) string {
	if slices.Contains(secretSettings, f.Name) && f.Changed {
		return "(secret)"
	}
	texts := []string{f.Value.String()}
	if list, ok := f.Value.(pflag.SliceValue); ok {
		texts = list.GetSlice()
	}
	if f.Name == "mirror" || f.Name == "index-file" {
		for i, text := range texts {
			texts[i] = shownSource(text)
		}
	}
	text := strings.Join(texts, ", ")
	if text == "-1" { // a number that was not given
		return "-"
	}
	return cmp.Or(text, "-")
}
