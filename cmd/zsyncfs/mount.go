package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
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

ARCHIVE is a name from the configuration file ("zsyncfs config --help"), which says
where it comes from, where it is mounted, and how. --all mounts all archives of the
file. A mount point that the file names is made when it is not there.

A daemon in the background serves the mount; one daemon serves all mounts that
share a cache directory. It ends with its last mount:

    fusermount3 -u MOUNTPOINT      (or: zsyncfs umount MOUNTPOINT)

Its messages are in CACHE-DIR/daemon.log ("zsyncfs log"). On SIGHUP it reads the
configuration file again, and changes its mounts without unmounting them.

With -f the command is the daemon itself, until its last mount is gone. It then tells
systemd when it is ready, and its watchdog that it lives (Type=notify).

Also /etc/fstab and mount(8) can do this, see mount.zsyncfs(8):

    https://host/images/ /mnt/images zsyncfs noauto,x-systemd.automount,_netdev 0 0`

// mountStartPatience is how long a mount waits for another daemon of the same
// store that is just starting or ending, on a machine that is busy, too.
const mountStartPatience = 30 * time.Second

func newMountCommand() *cobra.Command {
	var f mountFlags
	cmd := &cobra.Command{
		Use:   "mount SOURCE MOUNTPOINT | ARCHIVE [MOUNTPOINT] | --all",
		Short: "Mount a remote archive directory",
		Long:  mountLong,
		Example: `  zsyncfs mount https://cdimage.example.org/daily/ /mnt/daily
  zsyncfs mount https://example.org/disk.img.zsync /mnt/disk
  zsyncfs mount --index-file urls.txt /mnt/list
  zsyncfs mount daily`,
		Annotations: map[string]string{ownSettings: ""},
		RunE: func(cmd *cobra.Command, args []string) error {
			specs, err := f.specs(cmd.Flags(), args)
			if err != nil {
				return err
			}
			store, err := storeDir(f.cacheDir)
			if err != nil {
				return err
			}
			if f.foreground {
				return serveForeground(cmd.Context(), f.run(cmd.Flags(), specs, store))
			}
			err = mountEach(cmd.Context(), cmd.ErrOrStderr(), specs, store)
			// A daemon tells no signal from other ends of its work.
			return signals.Explain(cmd.Context(), err)
		},
		ValidArgsFunction: completeArchives,
	}
	f.add(cmd.Flags())
	completeWords(cmd)
	cmd.Flags().BoolVar(&f.all, "all", false, "mount all archives of the configuration file")
	return cmd
}

// mountEach mounts all of specs. One that fails keeps none of the others back.
func mountEach(ctx context.Context, stderr io.Writer, specs []daemon.Spec, store string) error {
	var errs []error
	for _, spec := range specs {
		err := clearMountPoint(spec, store)
		if err == nil {
			err = untilUnlocked(ctx, mountStartPatience, func() error { return mountInBackground(ctx, spec, store) })
		}
		if err != nil {
			errs = append(errs, mountError(spec, err))
			continue
		}
		noteEmpty(stderr, spec)
		notePage(ctx, stderr, spec, store)
	}
	return someOf(len(specs), errs)
}

// someOf is what several errors of n tasks are together.
func someOf(n int, errs []error) error {
	err := errors.Join(errs...)
	if len(errs) > 0 && len(errs) < n {
		return withCode(exitPartial, err)
	}
	return err
}

// untilUnlocked calls do again, for so long, as another daemon, which starts or ends, has
// the store.
func untilUnlocked(ctx context.Context, patience time.Duration, do func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := do()
		if !isLocked(err) || time.Now().After(deadline) {
			return err
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
func mountInBackground(ctx context.Context, spec daemon.Spec, store string) error {
	at, release, err := daemon.OpenAutomount(spec.Dir)
	if err != nil {
		return withCode(exitMount, err)
	}
	defer release()
	spec.At = at
	err = daemon.NewClient(store).Mount(ctx, spec)
	if errors.Is(err, daemon.ErrNoDaemon) {
		if err := clearDead(spec.Dir); err != nil {
			return err
		}
		err = spawnDaemon(ctx, spec, store)
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
	err = fromDaemon(err)
	if _, hint := program.Translate(err); hint == hintCredentials && spec.Access.HasCredentials(spec.Source, spec.IndexFile) {
		err = withHint(err, "%s", hintLogin)
	}
	return fmt.Errorf("mount %s: %w", spec.Dir, err)
}

// clearMountPoint checks that the mount point of spec can be mounted on, beside store,
// and takes away what a daemon that died left there. One that the configuration names is
// made.
func clearMountPoint(spec daemon.Spec, store string) error {
	dir := spec.Dir
	if err := daemon.CheckApart(store, dir); err != nil {
		return err
	}
	if err := clearDead(dir); err != nil {
		return err
	}
	if spec.MakeDir {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return withCode(exitMount, err)
		}
	}
	kind, err := fs.MountType(dir)
	if err != nil {
		return withCode(exitMount, err)
	}
	if kind == fs.FSType {
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
		kind, err := fs.MountType(dir)
		if err != nil {
			return withCode(exitMount, err)
		}
		if kind != fs.FSType {
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
// remembers, for a dead one too. An automount is not asked: it would be mounted.
func isDead(dir string) bool {
	if automount, err := daemon.IsAutomount(dir); err != nil || automount {
		return false
	}
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

// notePage tells a user whose status page could not be served where it was wanted: the
// mount goes on without it.
func notePage(ctx context.Context, stderr io.Writer, spec daemon.Spec, store string) {
	if spec.HTTP == "" {
		return
	}
	if s, err := daemon.NewClient(store).Status(ctx); err == nil && !servedAt(s.Page, spec.HTTP) {
		fmt.Fprintf(stderr, "zsyncfs: note: mounted, but the status page cannot be served at %s: \"zsyncfs log\" says why\n", printable(spec.HTTP))
	}
}

// servedAt says whether page, a URL or nothing, may be what was asked for by address.
// Hosts are not compared, since a page tells the address of its host's name.
func servedAt(page, address string) bool {
	u, err := url.Parse(page)
	if err != nil || page == "" {
		return false
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	number, err := net.LookupPort("tcp", port)
	return err == nil && (number == 0 || u.Port() == strconv.Itoa(number))
}

// cacheDirHelp is what the help of every command says of --cache-dir.
const cacheDirHelp = "`DIR` of the block store (default " + daemon.SystemStore + " for root, ~/.cache/zsyncfs for others)"

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
