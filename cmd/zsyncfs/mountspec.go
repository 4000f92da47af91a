package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/cmd/internal/config"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

// specs are the mounts that the command line asks for, with what the environment and
// the configuration file say. f gets what they say of the daemon.
func (f *mountFlags) specs(flags *pflag.FlagSet, args []string) ([]daemon.Spec, error) {
	file, err := readConfig(flags)
	if err != nil {
		return nil, err
	}
	if err := settleByEnvironment(flags); err != nil {
		return nil, err
	}
	asked, err := f.ask(flags, args, file)
	if err != nil {
		return nil, err
	}
	if file != nil {
		if err := errors.Join(checkNames(file), settleByFile(flags, file, nil)); err != nil {
			return nil, configError(err)
		}
	}
	if f.all {
		return allSpecs(asked, args, file)
	}
	spec, err := specOf(asked, file)
	if err != nil {
		return nil, err
	}
	spec.Debug = f.debug && f.foreground
	return []daemon.Spec{spec}, nil
}

// ask is how the mount was asked for.
func (f *mountFlags) ask(flags *pflag.FlagSet, args []string, file *config.File) (daemon.Asked, error) {
	a := daemon.Asked{Args: slices.Clone(args)}
	if file != nil {
		a.Config = file.Path
	}
	// The last one is a mount point, unless it is the name of an archive, or wrong.
	if n := len(args); n == 2 || n == 1 && f.indexFile != "" {
		if last := args[n-1]; !access.IsURL(last) {
			abs, err := filepath.Abs(last)
			if err != nil {
				return a, err
			}
			a.Args[n-1] = abs
		}
	}
	var err error
	if a.Flags, err = typed(flags); err != nil {
		return a, err
	}
	if f.verbose && !flags.Changed("log-level") {
		a.Flags = append(a.Flags, "--log-level=debug")
	}
	return a, nil
}

// allSpecs are the mounts of all archives of file.
func allSpecs(asked daemon.Asked, args []string, file *config.File) ([]daemon.Spec, error) {
	switch {
	case len(args) > 0:
		return nil, usageErrorf("with --all no SOURCE, ARCHIVE or MOUNTPOINT is wanted")
	case file == nil:
		return nil, withHint(withCode(exitUsage, errors.New("there is no configuration file")), "make %s; \"zsyncfs config --help\" tells how", config.Default())
	case len(file.Archives) == 0:
		return nil, withCode(exitUsage, fmt.Errorf("%s has no archive", file.Path))
	}
	var out []daemon.Spec
	for _, a := range file.Archives {
		one := asked
		one.Args = []string{a.Name}
		spec, err := specOf(one, file)
		if err != nil {
			return nil, err
		}
		out = append(out, spec)
	}
	return out, nil
}

// run is the daemon of a command that stays in the foreground.
func (f *mountFlags) run(flags *pflag.FlagSet, specs []daemon.Spec, store string) daemonRun {
	r := daemonRun{store: store, specs: specs, mounted: func(error) {}}
	level := slog.LevelInfo
	if l := specs[0].LogLevel; l != nil {
		level = *l
	}
	r.log, r.level = newLog(os.Stderr, level)
	if f.all {
		r.all = func() ([]daemon.Spec, error) {
			file, err := checkedConfig(flags)
			if err != nil {
				return nil, err
			}
			asked := *specs[0].Asked
			return allSpecs(asked, nil, file)
		}
	}
	return r
}

// renew is the mount that was asked for so, as the configuration file is now. Errors:
// daemon.ErrNoArchive; those of config.Read; wrong usage.
func renew(asked daemon.Asked) (daemon.Spec, error) {
	if asked.Config == "" {
		return specOf(asked, nil)
	}
	file, err := config.Read(asked.Config)
	if err == nil {
		err = checkNames(file)
	}
	if err != nil {
		return daemon.Spec{}, configError(err)
	}
	return specOf(asked, file)
}

// specOf is the mount that was asked for so, where the configuration is file; nil: none.
func specOf(asked daemon.Asked, file *config.File) (daemon.Spec, error) {
	f, flags := newMountFlags()
	if err := flags.Parse(asked.Flags); err != nil {
		return daemon.Spec{}, withCode(exitUsage, err)
	}
	spec, err := f.complete(flags, asked.Args, file)
	spec.Asked = &asked
	return spec, err
}

// complete is the mount that the flags and arguments ask for, with what file says.
func (f *mountFlags) complete(flags *pflag.FlagSet, args []string, file *config.File) (daemon.Spec, error) {
	archive, err := findArchive(file, f.indexFile, args)
	if err != nil {
		return daemon.Spec{}, err
	}
	if err := settleByFile(flags, file, archive); err != nil {
		return daemon.Spec{}, configError(err)
	}
	makeDir := false
	if archive != nil {
		makeDir = len(args) == 1
		if args, err = f.archiveArgs(file, archive, args); err != nil {
			return daemon.Spec{}, err
		}
	}
	if err := f.checkArgs(args); err != nil {
		return daemon.Spec{}, err
	}
	spec, err := f.spec(args)
	spec.MakeDir = makeDir
	if archive != nil {
		spec.Archive = archive.Name
	}
	if flags.Changed("log-level") {
		level := f.level()
		spec.LogLevel = &level
	}
	if err == nil && archive != nil && file.Open && spec.Access.HasPassword(spec.Source) {
		err = withHint(withCode(exitUsage, file.At(archive.Position, errors.New("it has a password, and others may read this file"))),
			"chmod 600 %s, or put the password into a netrc file", file.Path)
	}
	if err != nil && archive != nil {
		err = fmt.Errorf("archive %q: %w", archive.Name, err)
	}
	return spec, err
}

// level is what --log-level says.
func (f *mountFlags) level() slog.Level {
	return []slog.Level{slog.LevelInfo, slog.LevelDebug, slog.LevelWarn, slog.LevelError}[f.logLevel.index]
}

// findArchive is the archive of file that args name; nil where they name none. Errors:
// daemon.ErrNoArchive.
func findArchive(file *config.File, indexFile string, args []string) (*config.Archive, error) {
	if indexFile != "" || len(args) == 0 || len(args) > 2 || !config.IsName(args[0]) {
		return nil, nil
	}
	if file != nil {
		if a := file.Archive(args[0]); a != nil {
			return a, nil
		}
	}
	if info, err := os.Stat(args[0]); err == nil && info.IsDir() && len(args) == 2 {
		return nil, nil // a directory of this machine, of which checkArgs tells
	}
	err := withCode(exitUsage, fmt.Errorf("%w: %q", daemon.ErrNoArchive, args[0]))
	if file == nil {
		return nil, withHint(err, "SOURCE is a URL such as https://example.org/images/; names are for archives of a configuration file, see \"zsyncfs config --help\"")
	}
	if near := report.Nearest(args[0], file.Names()); near != "" {
		return nil, withHint(err, "did you mean %q?", near)
	}
	return nil, withHint(err, "%s has: %s; anything else is a URL such as https://example.org/images/", file.Path, cmp.Or(strings.Join(file.Names(), ", "), "none"))
}

// archiveArgs are the arguments that name what an archive is: its source, unless it has
// an index file, and its mount point.
func (f *mountFlags) archiveArgs(file *config.File, archive *config.Archive, args []string) ([]string, error) {
	source, dir := archive.Value("source"), archive.Value("mount-point")
	if len(args) == 2 {
		dir = args[1]
	}
	var err error
	switch {
	case source == "" && f.indexFile == "":
		err = fmt.Errorf("archive %q has no source, and no index-file", archive.Name)
	case source != "" && f.indexFile != "":
		err = fmt.Errorf("archive %q has both a source and an index-file", archive.Name)
	case dir == "":
		err = fmt.Errorf("archive %q has no mount-point, and none was typed", archive.Name)
	}
	if err != nil {
		return nil, configError(file.At(archive.Position, err))
	}
	if dir, err = settledPath(dir, filepath.Dir(file.Path)); err != nil {
		return nil, err
	}
	if f.indexFile != "" {
		return []string{dir}, nil
	}
	return []string{source, dir}, nil
}

// completeArchives completes the names of archives.
func completeArchives(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	file, err := readConfig(cmd.Flags())
	if err != nil || file == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return file.Names(), cobra.ShellCompDirectiveNoFileComp
}
