package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/cmd/internal/terminal"
	"github.com/zsyncfs/zsyncfs/fs"
	"golang.org/x/sys/unix"
)

const statusLong = `Shows what the daemon of a cache directory has mounted and does: for each mount the
server and its traffic, and each file that is open with its size, how much of it is
here, what was reused and fetched, its state, how fast it is being fetched and who
reads it.

A state is provisional while only blocks were verified, verified once the whole file
agreed with its digest, and suspect when it did not.

With MOUNTPOINT it is the daemon behind that mount, whatever its cache directory, with
an ARCHIVE that of the configuration file's. --json prints all there is; its keys are
stable: new ones are added, none is changed. Sizes are bytes, rates bytes a second.

    pid, version, since, ending   of the daemon; pid 0: none runs
    store                         dir, versions, data_bytes (each block once),
                                  shared_bytes, limit, min_free, disk_bytes, free_bytes,
                                  trouble (since, error, hint): nothing more is kept
    mounts[]                      dir, archive, detached, source, since, entries, known,
                                  bytes, requests, received, errors, limit_rate, rate
    mounts[].reads                of programs: local, waited, failed, local_bytes,
                                  waited_bytes, wait_seconds, last_failure (path,
                                  error, time)
    mounts[].blocks               fetched_bytes, reused_bytes, verified, suspect, repaired
    mounts[].hosts[]              host, requests, received, errors, error_kinds,
                                  failing_since, rtt_seconds, bytes_per_second
    mounts[].open[]               url, path, length, blocks, blocks_local, blocks_shared,
                                  fetched, reused, rate, searching, filling, fetches,
                                  users, readers[] (pid, program, open), state
    mounts[].faults[]             path, error, time
    gets[]                        source, since, step, done, total, known, length,
                                  limit_rate`

func newStatusCommand() *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:   "status [MOUNTPOINT|ARCHIVE]",
		Short: "Show what is mounted, open and downloaded, and how much of it is here",
		Long:  statusLong,
		Example: `  zsyncfs status
  zsyncfs status --watch
  zsyncfs status /mnt/daily
  zsyncfs status --json | jq '.mounts[].open'`,
		Annotations:       map[string]string{lookOnly: ""},
		Args:              wantArgs(0, 1),
		ValidArgsFunction: completeMounts,
		RunE:              func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	s := cmd.Flags()
	s.StringVar(&f.cacheDir, "cache-dir", "", cacheDirHelp)
	s.BoolVar(&f.json, "json", false, "print JSON; with --watch an object a line")
	s.BoolVarP(&f.watch, "watch", "w", false, "go on, until Ctrl-C")
	s.DurationVar(&f.interval, "interval", time.Second, "how often --watch looks, a `TIME`")
	return cmd
}

// statusFlags are the flags of "zsyncfs status".
type statusFlags struct {
	cacheDir    string
	json, watch bool
	interval    time.Duration
}

func (f *statusFlags) run(cmd *cobra.Command, args []string) error {
	if f.interval < 10*time.Millisecond {
		return usageErrorf("--interval must be at least 10ms")
	}
	store, err := f.store(cmd, args)
	if err != nil {
		return err
	}
	if f.watch {
		return f.watchStore(cmd.Context(), cmd.OutOrStdout(), store)
	}
	s, err := askStatus(cmd.Context(), store)
	if err != nil {
		return err
	}
	if f.json {
		return report.PrintJSON(cmd.OutOrStdout(), s)
	}
	return printStatus(cmd.OutOrStdout(), s)
}

// store is the cache directory that is meant.
func (f *statusFlags) store(cmd *cobra.Command, args []string) (string, error) {
	if len(args) == 0 {
		return storeDir(f.cacheDir)
	}
	dir, err := archiveMountPoint(cmd.Flags(), args[0])
	if err != nil {
		return "", err
	}
	if dir, err = mountedOn(dir); err != nil {
		return "", fmt.Errorf("status %w", err)
	}
	store, err := storeOf(cmd.Context(), dir)
	switch {
	case errors.Is(err, unix.ENOTCONN):
		return "", withHint(withCode(exitNoDaemon, fmt.Errorf("status %s: its daemon has died", dir)),
			"\"zsyncfs umount\" takes the mount away; so does a new \"zsyncfs mount\" there")
	case err != nil:
		return "", fmt.Errorf("status %s: %w", dir, err)
	}
	if _, err := daemon.NewClient(store).Status(cmd.Context()); errors.Is(err, daemon.ErrNoDaemon) {
		return "", withHint(withCode(exitNoDaemon, fmt.Errorf("status %s: its cache directory %s was removed or replaced, and with it the way to ask its daemon; reads go on", dir, store)),
			"unmount it, and mount it again: that makes a new cache directory")
	}
	return store, nil
}

// askMountPatience is how long a mount takes at most to tell its cache directory.
const askMountPatience = 5 * time.Second

// storeOf is the cache directory of the mount on dir, which the mount tells.
func storeOf(ctx context.Context, dir string) (string, error) {
	type answer struct {
		store string
		err   error
	}
	told := make(chan answer, 1)
	go func() { // a mount whose daemon hangs does not answer
		p := make([]byte, 4096)
		n, err := unix.Getxattr(dir, fs.CacheDirAttr, p)
		told <- answer{string(p[:max(n, 0)]), err}
	}()
	select {
	case a := <-told:
		if a.err == nil && a.store == "" {
			a.err = errors.New("the mount is of an older zsyncfs")
		}
		return a.store, a.err
	case <-time.After(askMountPatience):
		return "", errors.New("its daemon does not answer")
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// askStatus asks the daemon of store; where none runs, that is told.
func askStatus(ctx context.Context, store string) (*daemon.Status, error) {
	s, err := daemon.NewClient(store).Status(ctx)
	if errors.Is(err, daemon.ErrNoDaemon) {
		return &daemon.Status{Store: daemon.StoreStatus{Dir: store}, Mounts: []daemon.MountStatus{}, Gets: []daemon.GetStatus{}}, nil
	}
	return s, err
}

// watchStore shows the status again and again: on a terminal in place of the last one.
func (f *statusFlags) watchStore(ctx context.Context, w io.Writer, store string) error {
	const home, clearBelow = "\x1b[H", "\x1b[J"
	file, _ := w.(*os.File)
	onTerminal := terminal.Is(file)
	if onTerminal {
		fmt.Fprint(w, home+clearBelow)
	}
	for first := true; ; first = false {
		s, err := askStatus(ctx, store)
		if ctx.Err() != nil {
			return nil // that is how it is meant to end
		}
		if err != nil {
			return err
		}
		switch {
		case f.json:
			err = report.PrintJSONLine(w, s)
		case onTerminal:
			var text bytes.Buffer
			if err = printStatus(&text, s); err == nil {
				_, err = fmt.Fprint(w, home+strings.ReplaceAll(text.String(), "\n", "\x1b[K\n")+clearBelow)
			}
		default:
			if !first {
				fmt.Fprintln(w)
			}
			fmt.Fprintf(w, "%s\n", time.Now().Format(time.DateTime))
			err = printStatus(w, s)
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(f.interval):
		}
	}
}
