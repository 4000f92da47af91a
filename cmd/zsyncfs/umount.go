package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/zsyncfs/zsyncfs/cmd/internal/config"
	"github.com/zsyncfs/zsyncfs/fs"
)

func newUmountCommand() *cobra.Command {
	var lazy bool
	cmd := &cobra.Command{
		Use:     "umount MOUNTPOINT|ARCHIVE...",
		Aliases: []string{"unmount"},
		Short:   "Unmount; the daemon ends with its last mount",
		Example: `  zsyncfs umount /mnt/daily
  zsyncfs umount daily`,
		Long: `Unmounts archives, like fusermount3 -u. The daemon behind them ends with its last
mount. Where files are open it fails; --lazy then detaches the mount, and it
ends when the last of them is closed. ARCHIVE is a name from the configuration file.`,
		Args:              wantArgs(1, -1),
		ValidArgsFunction: completeMounts,
		RunE: func(cmd *cobra.Command, args []string) error {
			var errs []error
			for _, arg := range args {
				dir, err := archiveMountPoint(cmd.Flags(), arg)
				if err == nil {
					err = umount(dir, lazy)
				}
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVarP(&lazy, "lazy", "l", false, "detach now, also with open files; they end with their programs")
	return cmd
}

// archiveMountPoint is the mount point of the archive of that name, or arg itself when
// it is a path, or no archive is called so.
func archiveMountPoint(flags *pflag.FlagSet, arg string) (string, error) {
	if !config.IsName(arg) {
		return arg, nil
	}
	if kind, err := fs.MountType(absoluteOr(arg)); err == nil && kind == fs.FSType {
		return arg, nil
	}
	file, err := readConfig(flags)
	if err != nil || file == nil {
		return arg, err
	}
	archive := file.Archive(arg)
	if archive == nil || archive.Value("mount-point") == "" {
		return arg, nil
	}
	return mountPointOf(file, archive)
}

// mountPointOf is where the archive is mounted, as file says; "" where it does not.
func mountPointOf(file *config.File, archive *config.Archive) (string, error) {
	return settledPath(archive.Value("mount-point"), filepath.Dir(file.Path))
}

// absoluteOr is path, absolute where that can be told.
func absoluteOr(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// completeMounts completes what can be unmounted: names of archives that are mounted,
// and mount points.
func completeMounts(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	dirs, err := fs.MountPoints()
	if err != nil {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	out := dirs
	if file, err := readConfig(cmd.Flags()); err == nil && file != nil {
		for _, a := range file.Archives {
			if dir, err := mountPointOf(file, &a); err == nil && slices.Contains(dirs, dir) {
				out = append(out, a.Name)
			}
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// mountedOn is dir, absolute and without symbolic links, when an archive is mounted there.
// Errors begin with it.
func mountedOn(dir string) (string, error) {
	abs, err := mountPoint(dir)
	if err != nil {
		return "", fmt.Errorf("%s: %w", dir, err)
	}
	kind, err := fs.MountType(abs)
	if err != nil {
		return "", fmt.Errorf("%s: %w", abs, err)
	}
	if kind != fs.FSType {
		return "", withCode(exitNotMounted, fmt.Errorf("%s: no archive is mounted there", abs))
	}
	return abs, nil
}

func umount(dir string, lazy bool) error {
	dir, err := mountedOn(dir)
	if err != nil {
		return fmt.Errorf("umount %w", err)
	}
	if lazy {
		err = fs.Detach(dir)
	} else {
		err = fs.Unmount(dir)
	}
	return explainUmount(dir, os.Geteuid(), err)
}

// explainUmount gives err, with which the user uid could not unmount dir, the
// words of the command. What fusermount3 says is text and nothing else.
func explainUmount(dir string, uid int, err error) error {
	if err == nil {
		return nil
	}
	failed := withCode(exitMount, fmt.Errorf("umount %s: %w", dir, err))
	switch {
	case errors.Is(err, syscall.EBUSY), strings.Contains(strings.ToLower(err.Error()), "resource busy"):
		return withHint(failed, "files of it may be open (see: fuser -vm %s); --lazy detaches it all the same", dir)
	case uid != 0 && !errors.Is(err, fs.ErrNoFusermount):
		return withHint(failed, "only root and the user who mounted it can unmount it")
	}
	return failed
}
