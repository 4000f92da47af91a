package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/signals"
	"github.com/zsyncfs/zsyncfs/fs"
	"golang.org/x/sys/unix"
)

const mountLong = `Mounts the archive SOURCE on the directory MOUNTPOINT and returns when it can be
used. SOURCE is the URL of a directory that holds control files (NAME.zsync), or
of one control file. With --index-file there is no SOURCE.

A daemon in the background serves the mount; one daemon serves all mounts that
share a cache directory. It ends with its last mount:

    fusermount3 -u MOUNTPOINT      (or: zsyncfs umount MOUNTPOINT)

Its messages are in CACHE-DIR/daemon.log.`

// mountStartPatience is how long a mount waits for another daemon of the same
// store that is just starting or ending, on a machine that is busy, too.
const mountStartPatience = 30 * time.Second

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
			err = mount(cmd.Context(), f, spec, store)
			if f.foreground {
				return err
			}
			if err == nil {
				noteEmpty(cmd.ErrOrStderr(), spec)
			}
			// A daemon tells no signal from other ends of its work.
			return signals.Explain(cmd.Context(), err)
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
		var err error
		if f.foreground {
			err = serveForeground(ctx, f, spec, store)
		} else {
			err = mountInBackground(ctx, f, spec, store)
		}
		if !isLocked(err) || time.Now().After(deadline) {
			return mountError(spec, err)
		}
		select { // another daemon starts or ends: ask it, or take its place
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// mountInBackground has spec mounted by the daemon that runs, or by one that it
// starts. A daemon that dies meanwhile leaves no dead mount behind: the mount
// point was free before.
func mountInBackground(ctx context.Context, f mountFlags, spec daemon.Spec, store string) error {
	err := daemon.NewClient(store).Mount(ctx, spec)
	if errors.Is(err, daemon.ErrNoDaemon) {
		if err := clearDead(spec.Dir); err != nil {
			return err
		}
		err = spawnDaemon(ctx, f, spec, store)
	}
	if err != nil && !isLocked(err) {
		err = errors.Join(err, clearDead(spec.Dir))
	}
	return err
}

// mountError gives err the words of the command.
func mountError(spec daemon.Spec, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("mount %s: %w", spec.Dir, fromDaemon(err))
}

// clearMountPoint checks that dir can be mounted on, and takes away what a
// daemon that died left there.
func clearMountPoint(dir string) error {
	if err := clearDead(dir); err != nil {
		return err
	}
	kind, err := daemon.MountType(dir)
	if err != nil {
		return withCode(exitMount, err)
	}
	if kind == daemon.FSType {
		return daemon.ErrMounted
	}
	info, err := os.Stat(dir)
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

// clearDead takes away the mounts, stacked perhaps, that daemons which died left
// on dir.
func clearDead(dir string) error {
	for isDead(dir) {
		kind, err := daemon.MountType(dir)
		if err != nil {
			return withCode(exitMount, err)
		}
		if kind != daemon.FSType {
			return withCode(exitMount, fmt.Errorf("a dead mount of another program is in the way: %w", syscall.ENOTCONN))
		}
		if err := fs.Detach(dir); err != nil {
			return withCode(exitMount, fmt.Errorf("take away the mount of a daemon that died: %w", err))
		}
	}
	return nil
}

// isDead says whether the process behind the file system at dir has ended.
// Statfs asks the file system itself: the kernel answers stat from what it
// remembers, for a dead one too.
func isDead(dir string) bool {
	var fsys unix.Statfs_t
	err := unix.Statfs(dir, &fsys)
	return errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.ECONNABORTED) // it ended while it was asked
}

// noteEmpty tells a user whose archive shows nothing, which is not always meant.
func noteEmpty(stderr io.Writer, spec daemon.Spec) {
	if names, err := os.ReadDir(spec.Dir); err == nil && len(names) == 0 {
		fmt.Fprintln(stderr, "zsyncfs: note: mounted, but the source lists no .zsync files and no directories")
	}
}

// storeDir is the store's folder, absolute and without symbolic links as far as
// it exists; the default when dir is "". Errors: blockstore.ErrUnsafe.
func storeDir(dir string) (string, error) {
	if dir == "" {
		var err error
		if dir, err = daemon.DefaultStore(); err != nil {
			return "", err
		}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := blockstore.CheckLinks(abs); err != nil {
		return "", err
	}
	return resolve(abs), nil
}

// serveForeground is the daemon, in this process, with its messages on
// standard error. One that is ending holds the store for a moment longer.
func serveForeground(ctx context.Context, f mountFlags, spec daemon.Spec, store string) error {
	status, err := daemon.NewClient(store).Status(ctx)
	switch {
	case err == nil && status.Ending:
		return errLocked
	case err == nil:
		return withHint(withCode(exitStoreLocked, errors.New("a daemon serves this cache directory already")),
			"without -f the mount joins it; with -f it needs a --cache-dir of its own")
	}
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	return runDaemon(ctx, log, spec, store, func(error) {})
}

// garbagePercent is how much garbage a daemon lets come together, in percent of what
// is in use: a search in a large image has tables of some 70 MB, which are garbage
// all at once then. GOGC goes before it.
const garbagePercent = 40

// runDaemon runs a daemon with its first mount; mounted is called with the
// outcome of that. A daemon whose first mount failed serves the others that came
// meanwhile.
func runDaemon(ctx context.Context, log *slog.Logger, spec daemon.Spec, store string, mounted func(error)) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	d, err := daemon.New(daemon.Options{
		Store:   store,
		Version: currentVersion().Version,
		Log:     log,
		First:   &spec,
		Describe: func(err error) (int, string) {
			code, hint := program.Translate(err)
			return int(code), hint
		},
	})
	if err != nil {
		return err
	}
	err = d.Mount(ctx, spec)
	mounted(err)
	return errors.Join(err, d.Serve(ctx))
}
