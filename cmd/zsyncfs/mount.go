package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/fs"
)

const mountLong = `Mounts the archive SOURCE on the directory MOUNTPOINT and returns when it can be
used. SOURCE is the URL of a directory that holds control files (NAME.zsync), or
of one control file. With --index-file there is no SOURCE.

A daemon in the background serves the mount; one daemon serves all mounts that
share a cache directory. It ends with its last mount:

    fusermount3 -u MOUNTPOINT      (or: zsyncfs umount MOUNTPOINT)

Its messages are in CACHE-DIR/daemon.log.`

// mountStartPatience is how long a mount waits for another daemon of the same
// store that is just starting or ending.
const mountStartPatience = 15 * time.Second

func newMountCommand() *cobra.Command {
	var f mountFlags
	cmd := &cobra.Command{
		Use:   "mount SOURCE MOUNTPOINT",
		Short: "Mount a remote archive directory",
		Long:  mountLong,
		Example: `  zsyncfs mount https://cdimage.example.org/daily/ /mnt/daily
  zsyncfs mount https://example.org/disk.img.zsync /mnt/disk
  zsyncfs mount --index-file urls.txt /mnt/list`,
		Args: func(_ *cobra.Command, args []string) error { return f.checkArgs(args) },
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := f.spec(args)
			if err != nil {
				return err
			}
			store, err := storeDir(f.cacheDir)
			if err != nil {
				return err
			}
			return mount(cmd.Context(), f, spec, store)
		},
	}
	f.add(cmd.Flags())
	return cmd
}

// mount has spec mounted: by the daemon that runs, by this process (-f), or by
// a daemon that it starts.
func mount(ctx context.Context, f mountFlags, spec daemon.Spec, store string) error {
	if err := clearMountPoint(spec.Dir); err != nil {
		return fmt.Errorf("mount %s: %w", spec.Dir, err)
	}
	deadline := time.Now().Add(mountStartPatience)
	for {
		err := daemon.NewClient(store).Mount(ctx, spec)
		if !errors.Is(err, daemon.ErrNoDaemon) {
			return mountError(spec, err)
		}
		if f.foreground {
			err = serveForeground(ctx, f, spec, store)
		} else {
			err = spawnDaemon(ctx, f, spec, store)
		}
		if !isLocked(err) || time.Now().After(deadline) {
			return mountError(spec, err)
		}
		select { // another daemon starts or ends: ask it, or take its place
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// mountError gives err the words of the command.
func mountError(spec daemon.Spec, err error) error {
	var failure *daemon.Failure
	if errors.As(err, &failure) {
		err = withCode(exitCode(failure.Code), errors.New(failure.Message))
		if failure.Hint != "" {
			err = withHint(err, "%s", failure.Hint)
		}
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("mount %s: %w", spec.Dir, err)
}

// clearMountPoint checks that dir can be mounted on, and takes away what a
// daemon that died left there.
func clearMountPoint(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, syscall.ENOTCONN) {
		kind, kerr := daemon.MountType(dir)
		if kerr != nil || kind != daemon.FSType {
			return withCode(exitMount, fmt.Errorf("a dead mount of another program is in the way: %w", err))
		}
		if err := fs.Detach(dir); err != nil {
			return withCode(exitMount, fmt.Errorf("take away the mount of a daemon that died: %w", err))
		}
		info, err = os.Stat(dir)
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return withHint(withCode(exitMount, errors.New("the directory does not exist")), "make it with: mkdir -p %s", dir)
	case err != nil:
		return withCode(exitMount, err)
	case !info.IsDir():
		return withCode(exitMount, errors.New("it is not a directory"))
	}
	return nil
}

// storeDir is the store's folder, absolute; the default when dir is "".
func storeDir(dir string) (string, error) {
	if dir == "" {
		return daemon.DefaultStore()
	}
	return filepath.Abs(dir)
}

// serveForeground is the daemon, in this process, with its messages on
// standard error.
func serveForeground(ctx context.Context, f mountFlags, spec daemon.Spec, store string) error {
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	return runDaemon(ctx, log, spec, store, func() {})
}

// runDaemon runs a daemon with its first mount; usable is called when that can
// be used.
func runDaemon(ctx context.Context, log *slog.Logger, spec daemon.Spec, store string, usable func()) error {
	d, err := daemon.New(daemon.Options{
		Store:   store,
		Version: currentVersion().Version,
		Log:     log,
		Describe: func(err error) (int, string) {
			code, hint := translate(err)
			return int(code), hint
		},
	})
	if err != nil {
		return err
	}
	if err := d.Mount(ctx, spec); err != nil {
		return errors.Join(err, d.Close())
	}
	usable()
	return d.Serve(ctx)
}
