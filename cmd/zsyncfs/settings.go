package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/cmd/internal/bytesize"
	"github.com/zsyncfs/zsyncfs/cmd/internal/config"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

// setting says of a flag what the environment (ZSYNCFS_NAME) and the configuration file
// may do with it, wherever it was not typed.
type setting struct {
	path    bool // a relative one begins at the file, or where the command was called
	archive bool // the file may only say it of one archive, since it is for one source
}

// settings are the flags that are settings as well, and what an archive has beside.
var settings = map[string]setting{
	"source":      {archive: true},
	"mount-point": {archive: true, path: true},
	"index-file":  {archive: true, path: true},

	"cache-dir":      {path: true},
	"cache-size":     {},
	"cache-min-free": {},

	"refresh":           {},
	"read-deadline":     {},
	"fill":              {},
	"share":             {},
	"verify":            {},
	"passthrough":       {},
	"seed":              {path: true},
	"allow-other":       {},
	"share-credentials": {archive: true},
	"uid":               {},
	"gid":               {},
	"umask":             {},
	"noexec":            {},

	"user":          {archive: true},
	"header":        {archive: true},
	"netrc":         {path: true},
	"cacert":        {path: true},
	"cert":          {archive: true, path: true},
	"key":           {archive: true, path: true},
	"insecure":      {archive: true},
	"allow-private": {},
	"mirror":        {archive: true},
	"limit-rate":    {},

	"log-level": {},
	"pprof":     {},
	"http":      {},
}

// daemonSettings are for the daemon, which all archives have in common.
var daemonSettings = []string{"cache-dir", "log-level", "http"}

// notFlags are the settings of an archive that no flag has.
var notFlags = []string{"source", "mount-point"}

const (
	configFlag = "config"
	configEnv  = "ZSYNCFS_CONFIG"
)

// envName is the environment variable of a setting.
func envName(name string) string {
	return "ZSYNCFS_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// configName is the file that is read, and whether somebody named it. "" is none.
func configName(flags *pflag.FlagSet) (path string, named bool) {
	path, named = os.LookupEnv(configEnv)
	if f := flags.Lookup(configFlag); f != nil && f.Changed {
		path, named = f.Value.String(), true
	}
	if !named {
		path = config.Default()
	}
	return path, named
}

// readConfig reads the configuration file that is named by --config or the environment,
// or else the user's own, if there is one; nil when there is none. An empty name is none.
func readConfig(flags *pflag.FlagSet) (*config.File, error) {
	path, named := configName(flags)
	if path == "" {
		return nil, nil
	}
	f, err := config.Read(path)
	switch {
	case !named && errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, configError(err)
	}
	return f, nil
}

// checkedConfig is readConfig, which also fails where a setting of the file is none, or
// stands where it has no meaning.
func checkedConfig(flags *pflag.FlagSet) (*config.File, error) {
	f, err := readConfig(flags)
	if err != nil || f == nil {
		return nil, err
	}
	return f, configError(checkNames(f))
}

// configError gives the first of several faults of a file, with a hint at the others; nil
// for none.
func configError(err error) error {
	var fault *config.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &fault):
		return withCode(exitUsage, fmt.Errorf("configuration: %w", err))
	}
	return withHint(withCode(exitUsage, fault), "\"zsyncfs config check %s\" tells all that is wrong there", fault.Path)
}

// settle gives the flags of a command that were not typed what the environment and the
// configuration file say of them. archive may be nil. Errors: several *config.Error,
// joined, and others.
func settle(flags *pflag.FlagSet, file *config.File, archive *config.Archive) error {
	if err := settleByEnvironment(flags); err != nil {
		return err
	}
	return settleByFile(flags, file, archive)
}

func settleByEnvironment(flags *pflag.FlagSet) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		rule, ok := settings[f.Name]
		text := os.Getenv(envName(f.Name))
		if !ok || f.Changed || text == "" {
			return
		}
		values := []string{text}
		if rule.path && isList(f) {
			values = filepath.SplitList(text)
		}
		if err := setFlag(flags, f, rule, values, ""); err != nil {
			errs = append(errs, withCode(exitUsage, fmt.Errorf("environment variable %s: %w", envName(f.Name), err)))
		}
	})
	return errors.Join(errs...)
}

func settleByFile(flags *pflag.FlagSet, file *config.File, archive *config.Archive) error {
	if file == nil {
		return nil
	}
	var errs []error
	take := func(list []config.Setting, ofArchive bool) {
		for _, s := range list {
			rule, known := settings[s.Name]
			f := flags.Lookup(s.Name)
			if !known || f == nil || f.Changed || rule.archive && !ofArchive {
				continue // some of these checkNames tells of
			}
			if s.Array && !isList(f) {
				errs = append(errs, file.At(s.Position, fmt.Errorf("%s: one value is wanted, not an array", s.Name)))
				continue
			}
			if err := setFlag(flags, f, rule, s.Values, filepath.Dir(file.Path)); err != nil {
				errs = append(errs, file.At(s.Position, fmt.Errorf("%s: %w", s.Name, err)))
			}
		}
	}
	if archive != nil {
		take(archive.Settings, true) // these go before those of all
	}
	take(file.Settings, false)
	return errors.Join(errs...)
}

// isList says whether a flag can be given more than once.
func isList(f *pflag.Flag) bool {
	_, ok := f.Value.(pflag.SliceValue)
	return ok
}

// setFlag gives a flag its values as if they had been typed. Relative paths begin in
// dir; "": in the working directory.
func setFlag(flags *pflag.FlagSet, f *pflag.Flag, rule setting, values []string, dir string) error {
	for _, v := range values {
		if rule.path {
			var err error
			if v, err = settledPath(v, dir); err != nil {
				return err
			}
		}
		err := flags.Set(f.Name, v)
		var invalid *pflag.InvalidValueError
		if errors.As(err, &invalid) {
			return fmt.Errorf("%q: %w", v, invalid.Unwrap())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settledPath is path, absolute: from dir, or from the home directory behind "~/".
// URLs stay as they are.
func settledPath(path, dir string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		return filepath.Join(home, rest), err
	}
	if path == "" || filepath.IsAbs(path) || access.IsURL(path) {
		return path, nil
	}
	if dir == "" {
		return filepath.Abs(path)
	}
	return filepath.Join(dir, path), nil
}

// typed are the flags that were given, as arguments with absolute paths.
func typed(flags *pflag.FlagSet) (args []string, err error) {
	flags.Visit(func(f *pflag.Flag) {
		rule, ok := settings[f.Name]
		if !ok {
			return
		}
		values := []string{f.Value.String()}
		if list, many := f.Value.(pflag.SliceValue); many {
			values = list.GetSlice()
		}
		for _, v := range values {
			if _, isSize := f.Value.(*bytesize.Size); isSize && v == "" {
				v = "0"
			}
			if rule.path {
				var perr error
				v, perr = settledPath(v, "")
				err = errors.Join(err, perr)
			}
			args = append(args, "--"+f.Name+"="+v)
		}
	})
	return args, err
}

// checkNames finds settings of the file that there are not, or that stand where they
// have no meaning.
func checkNames(file *config.File) error {
	var errs []error
	check := func(list []config.Setting, inArchive bool) {
		for _, s := range list {
			rule, known := settings[s.Name]
			switch {
			case !known:
				errs = append(errs, file.At(s.Position, unknownSetting(s.Name)))
			case rule.archive && !inArchive:
				errs = append(errs, file.At(s.Position, fmt.Errorf("%s is for one source: it belongs to a table [archive.NAME]", s.Name)))
			case inArchive && slices.Contains(daemonSettings, s.Name):
				errs = append(errs, file.At(s.Position, fmt.Errorf("%s is for all archives: it belongs before the first table", s.Name)))
			}
		}
	}
	check(file.Settings, false)
	for _, a := range file.Archives {
		check(a.Settings, true)
	}
	return errors.Join(errs...)
}

func unknownSetting(name string) error {
	names := make([]string, 0, len(settings))
	for n := range settings {
		names = append(names, n)
	}
	slices.Sort(names)
	near := report.Nearest(strings.ReplaceAll(name, "_", "-"), names)
	if near == "" {
		return fmt.Errorf("there is no setting %q; \"zsyncfs config --help\" lists them", name)
	}
	return fmt.Errorf("there is no setting %q; did you mean %q?", name, near)
}

// lookOnly marks commands that are wanted just when the configuration is broken: they go on
// without it.
const lookOnly = "look-only"

// ownSettings marks commands that ask for their settings themselves.
const ownSettings = "own-settings"

// settleCommand is what happens before each command: its flags become what the
// environment and the configuration file say.
func settleCommand(cmd *cobra.Command, _ []string) error {
	if _, own := cmd.Annotations[ownSettings]; own {
		return nil
	}
	if !slices.ContainsFunc(flagNames(cmd.Flags()), func(n string) bool { _, ok := settings[n]; return ok }) {
		return nil // it has no settings, and works with a file that is broken too
	}
	file, err := checkedConfig(cmd.Flags())
	var broken *config.Error
	if _, goOn := cmd.Annotations[lookOnly]; goOn && errors.As(err, &broken) {
		fmt.Fprintf(cmd.ErrOrStderr(), "zsyncfs: note: going on without the configuration: %s\n", printable(err.Error()))
		file, err = nil, nil
	}
	if err != nil {
		return err
	}
	return configError(settle(cmd.Flags(), file, nil))
}

func flagNames(flags *pflag.FlagSet) (out []string) {
	flags.VisitAll(func(f *pflag.Flag) { out = append(out, f.Name) })
	return out
}
