package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
)

// goodbye bounds how long the end of a daemon may take.
const goodbye = 4 * time.Second

// ErrEnding is the answer of a daemon whose last mount has just gone.
var ErrEnding = errors.New("the daemon is ending")

// Options of a daemon.
type Options struct {
	// Store is the folder of the block store.
	Store string
	// Version is shown by Status.
	Version string
	// Log takes the daemon's messages. Default slog.Default().
	Log *slog.Logger
	// Describe gives the exit code and the hint that belong to an error.
	Describe func(error) (code int, hint string)
}

// Daemon owns a store and its mounts. Safe for concurrent use.
type Daemon struct {
	options Options
	store   *blockstore.Store
	socket  *socket
	started time.Time

	mu     sync.Mutex
	mounts map[string]*mounted // guarded by mu; nil while one is being mounted
	ending bool                // guarded by mu
	idle   chan struct{}       // closed when the last mount is gone
}

// New opens the store and its socket. Errors: those of blockstore.Open.
func New(o Options) (*Daemon, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	store, err := blockstore.Open(o.Store, blockstore.Options{
		Warn: func(err error) { o.Log.Warn(err.Error()) },
	})
	if err != nil {
		return nil, err
	}
	d := &Daemon{
		options: o,
		store:   store,
		started: time.Now(),
		mounts:  map[string]*mounted{},
		idle:    make(chan struct{}),
	}
	if d.socket, err = listen(d); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return d, nil
}

// Mount mounts spec and returns when it can be used.
func (d *Daemon) Mount(ctx context.Context, spec Spec) error {
	if err := d.reserve(spec); err != nil {
		return err
	}
	m, err := open(ctx, spec, d.store, "zsyncfs/"+d.options.Version, d.options.Log)
	d.mu.Lock()
	if err != nil {
		delete(d.mounts, spec.Dir)
	} else {
		d.mounts[spec.Dir] = m
	}
	d.settle()
	d.mu.Unlock()
	if err != nil {
		return err
	}
	d.options.Log.Info("mounted", "source", m.name(), "mount", spec.Dir)
	go d.await(m)
	return nil
}

// reserve holds spec's mount point.
func (d *Daemon) reserve(spec Spec) error {
	if err := spec.Check(); err != nil {
		return err
	}
	if within(d.options.Store, spec.Dir) {
		return fmt.Errorf("the cache directory %s lies under the mount point %s", d.options.Store, spec.Dir)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ending {
		return ErrEnding
	}
	for dir := range d.mounts {
		switch {
		case dir == spec.Dir:
			return fmt.Errorf("%s: %w", spec.Dir, ErrMounted)
		case within(spec.Dir, dir):
			return fmt.Errorf("%s lies inside the mount on %s", spec.Dir, dir)
		}
	}
	d.mounts[spec.Dir] = nil
	return nil
}

// ErrMounted says that a mount point is taken.
var ErrMounted = errors.New("is mounted already")

// within says whether path is dir or lies in it. Both are absolute.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// await clears up after m when the kernel has let go of it.
func (d *Daemon) await(m *mounted) {
	<-m.mount.Ended()
	d.options.Log.Info("unmounted", "mount", m.spec.Dir)
	if err := m.close(); err != nil {
		d.options.Log.Warn("close after the unmount: "+err.Error(), "mount", m.spec.Dir)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.mounts, m.spec.Dir)
	d.settle()
}

// settle begins the end when no mount is left. d.mu is held.
func (d *Daemon) settle() {
	if len(d.mounts) == 0 && !d.ending {
		d.ending = true
		close(d.idle)
	}
}

// Serve returns when the last mount is gone or ctx has ended, with everything
// unmounted, the store checkpointed and the socket gone.
func (d *Daemon) Serve(ctx context.Context) error {
	select {
	case <-d.idle:
	case <-ctx.Done():
		d.unmountAll()
	}
	return d.Close()
}

// unmountAll unmounts what is mounted and gives open files a moment to end.
func (d *Daemon) unmountAll() {
	d.mu.Lock()
	if !d.ending {
		d.ending = true
		if len(d.mounts) == 0 {
			close(d.idle)
		}
	}
	var all []*mounted
	for _, m := range d.mounts {
		if m != nil {
			all = append(all, m)
		}
	}
	d.mu.Unlock()
	var work sync.WaitGroup
	for _, m := range all {
		work.Go(func() {
			if err := m.unmount(); err != nil {
				d.options.Log.Error("unmount: "+err.Error(), "mount", m.spec.Dir)
			}
			if err := m.close(); err != nil {
				d.options.Log.Warn(err.Error(), "mount", m.spec.Dir)
			}
		})
	}
	done := make(chan struct{})
	go func() { defer close(done); work.Wait() }()
	select {
	case <-done:
	case <-time.After(goodbye):
		d.options.Log.Warn("ending although a mount did not end in time")
	}
}

// Close ends a daemon whose mounts are gone.
func (d *Daemon) Close() error {
	d.mu.Lock()
	d.ending = true
	d.mu.Unlock()
	d.socket.close()
	done := make(chan error, 1)
	go func() { done <- d.store.Close() }()
	select {
	case err := <-done:
		return err
	case <-time.After(goodbye):
		return fmt.Errorf("the store did not close within %v", goodbye)
	}
}

// DefaultStore is the folder of the store when the user names none.
func DefaultStore() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for the cache: %w", err)
	}
	return filepath.Join(dir, "zsyncfs"), nil
}
