package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/fs"
)

func newUmountCommand() *cobra.Command {
	var lazy bool
	cmd := &cobra.Command{
		Use:     "umount MOUNTPOINT...",
		Aliases: []string{"unmount"},
		Short:   "Unmount; the daemon ends with its last mount",
		Example: `  zsyncfs umount /mnt/daily`,
		Long: `Unmounts archives, like fusermount3 -u. The daemon behind them ends with its last
mount. Where files are open it fails; --lazy then detaches the mount, and it
ends when the last of them is closed.`,
		Args: wantArgs(1, -1),
		RunE: func(_ *cobra.Command, args []string) error {
			var errs []error
			for _, dir := range args {
				errs = append(errs, umount(dir, lazy))
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVarP(&lazy, "lazy", "l", false, "detach now, also with open files; they end with their programs")
	return cmd
}

func umount(dir string, lazy bool) error {
	dir, err := mountPoint(dir)
	if err != nil {
		return err
	}
	kind, err := daemon.MountType(dir)
	if err != nil {
		return fmt.Errorf("umount %s: %w", dir, err)
	}
	if kind != daemon.FSType {
		return withCode(exitNotMounted, fmt.Errorf("umount %s: no archive is mounted there", dir))
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
