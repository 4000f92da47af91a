package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/fs"
)

// The end of a daemon takes at most 5 s: these, and what the socket takes.
const (
	unmountPatience = 2 * time.Second
	storePatience   = 2 * time.Second
)

// ErrEnding is the answer of a daemon whose last mount has just gone.
var ErrEnding = errors.New("the daemon is ending")

// Options of a daemon.
type Options struct {
	// Store is the folder of the block store.
	Store string
	// Version is shown by Status.
	Version string
	// First is the mount that the daemon is started for; nil when there is none. A
	// connection to its server is opened while the store is.
	First *Spec
	// Log takes the daemon's messages. Default slog.Default().
	Log *slog.Logger
	// Level is the level of Log, for mounts that say another; nil: it stays.
	Level *slog.LevelVar
	// Renew is the spec of a mount that was asked for so, as the configuration file is
	// now. nil: none can be renewed. Errors: ErrNoArchive.
	Renew func(Asked) (Spec, error)
	// Describe gives the exit code and the hint that belong to an error.
	Describe func(error) (code int, hint string)
	// Page is the status page at an address, whose actions want token; nil: there is none.
	Page func(d *Daemon, address, token string) http.Handler
}

// Daemon owns a store and its mounts. Safe for concurrent use.
type Daemon struct {
	options Options
	store   *blockstore.Store
	socket  *socket
	started time.Time

	ctx      context.Context // ends when the daemon is told to end
	cancel   context.CancelFunc
	profiles atomic.Bool    // a mount asked for profiles on the socket
	mounting sync.WaitGroup // Mounts and Gets under way; added to under mu, and not once ending

	first *early // for the mount that the daemon was started for

	page      page
	sampling  sync.WaitGroup // the goroutine that takes samples
	reloading sync.Mutex     // held while mounts are changed; taken before mu

	mu     sync.Mutex
	mounts map[string]*mounted // guarded by mu; by mount point, nil while one is being mounted
	served bool                // guarded by mu; a mount was asked for
	gets   int                 // guarded by mu; Gets under way, but for those that only wait for their client
	// running has all Gets under way; guarded by mu.
	running map[*oneGet]struct{}
	// getting has the sources of those that fetch; guarded by mu. A channel is
	// closed when its Get has ended.
	getting map[string]chan struct{}
	ending  bool          // guarded by mu
	idle    chan struct{} // closed when the last mount is gone
}

// New opens the store and its socket. When ctx ends, waiting for files that o names
// does. Errors: those of blockstore.Open.
func New(ctx context.Context, o Options) (*Daemon, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	first := connectEarly(ctx, o)
	d := &Daemon{
		first:   first,
		options: o,
		started: time.Now(),
		mounts:  map[string]*mounted{},
		running: map[*oneGet]struct{}{},
		getting: map[string]chan struct{}{},
		idle:    make(chan struct{}),
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	store, err := openStore(o.Store, blockstore.Options{Warn: func(err error) { o.Log.Warn(err.Error()) }, Wrong: d.contentChanged})
	if err != nil {
		first.close()
		return nil, err
	}
	d.store = store
	if d.socket, err = listen(d); err != nil {
		first.close()
		return nil, errors.Join(err, store.Close())
	}
	d.sampling.Go(d.sample)
	return d, nil
}

// contentChanged has the kernel forget the pages of a version, whichever mount has it open.
func (d *Daemon) contentChanged(version blockstore.Key) {
	d.mu.Lock()
	var all []*fs.FS
	for _, m := range d.mounts {
		if m == nil {
			continue
		}
		if f := m.fs.Load(); f != nil {
			all = append(all, f)
		}
	}
	d.mu.Unlock()
	for _, f := range all {
		f.ContentChanged(version)
	}
}

// Mount mounts spec and returns when it can be used. Errors: ErrMounted; ErrClosing;
// ErrEnding; what the archive or the kernel says.
func (d *Daemon) Mount(ctx context.Context, spec Spec) error {
	if err := d.reserve(ctx, spec); err != nil {
		return err
	}
	defer d.mounting.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(d.ctx, func() { cancel(ErrEnding) })()
	d.share(&spec)
	if spec.Profiles {
		d.profiles.Store(true)
	}
	d.keepSeedsOutOfMounts(&spec)
	m, err := open(ctx, spec, d.first.take(&spec), d.store, d.options)
	d.mu.Lock()
	if err == nil && d.ending {
		d.mu.Unlock()
		err = errors.Join(ErrEnding, m.unmount(), m.close())
		d.mu.Lock()
	}
	if err != nil {
		delete(d.mounts, spec.Dir)
		d.settle()
		d.mu.Unlock()
		return err
	}
	m.place = spec.Dir
	d.mounts[m.place] = m
	d.mu.Unlock()
	d.options.Log.Info("mounted", "source", m.name(), "mount", spec.Dir)
	go d.await(m)
	return nil
}

// reserve holds spec's mount point, and keeps the daemon from ending before
// d.mounting.Done is called. A mount that the kernel has let go of, but that is
// still being closed, is waited for.
func (d *Daemon) reserve(ctx context.Context, spec Spec) error {
	if err := spec.Check(); err != nil {
		return err
	}
	if !filepath.IsAbs(spec.Dir) {
		return fmt.Errorf("the mount point %q is no absolute path", spec.Dir)
	}
	if err := CheckApart(d.options.Store, spec.Dir); err != nil {
		return err
	}
	for {
		leaving, err := d.tryReserve(spec)
		if leaving == nil {
			return err
		}
		if err := leaving.awaitClosed(ctx); err != nil {
			return err
		}
	}
}

// tryReserve is reserve, or returns the mount to wait for.
func (d *Daemon) tryReserve(spec Spec) (leaving *mounted, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ending {
		return nil, ErrEnding
	}
	for dir, m := range d.mounts {
		if !within(spec.Dir, dir) && !within(dir, spec.Dir) {
			continue
		}
		if m != nil && m.ended() {
			return m, nil
		}
		if m != nil && m.detached() {
			d.setAside(m)
			continue
		}
		switch {
		case dir == spec.Dir:
			return nil, fmt.Errorf("%s: %w", spec.Dir, ErrMounted)
		case within(spec.Dir, dir):
			return nil, fmt.Errorf("%s lies inside the mount on %s", spec.Dir, dir)
		default:
			return nil, fmt.Errorf("%s holds the mount on %s, which it would hide", spec.Dir, dir)
		}
	}
	d.mounts[spec.Dir] = nil
	d.served = true
	d.mounting.Add(1)
	return nil, nil
}

// setAside frees the mount point of a mount that was detached while files of it
// were open: it lives on until they are closed. d.mu is held.
func (d *Daemon) setAside(m *mounted) {
	delete(d.mounts, m.place)
	for i := 1; ; i++ {
		place := fmt.Sprintf("%s (detached %d)", m.spec.Dir, i)
		if _, taken := d.mounts[place]; !taken {
			m.place = place
			d.mounts[place] = m
			return
		}
	}
}

// ErrClosing says that the mount that was on a mount point is being closed, which takes
// longer than closePatience.
var ErrClosing = errors.New("the mount that was there is still being closed")

// ErrMounted says that a mount point is taken.
var ErrMounted = errors.New("is mounted already")

// ErrNested says that a mount would hide its cache directory, or a part of it.
var ErrNested = errors.New("the mount would hide its cache directory")

// CheckApart makes sure that the store and the mount point, both absolute, do not lie in
// one another. Errors: ErrNested (wrapped).
func CheckApart(store, dir string) error {
	if within(store, dir) || within(dir, store) {
		return fmt.Errorf("%w: %s", ErrNested, store)
	}
	return nil
}

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
	delete(d.mounts, m.place)
	close(m.gone)
	d.settle()
}

// settle begins the end when no mount is left, and no Get. d.mu is held.
func (d *Daemon) settle() {
	if len(d.mounts) == 0 && d.gets == 0 && !d.ending {
		d.ending = true
		close(d.idle)
	}
}

// EndUnused ends a daemon whose first mounts were refused, unless others came meanwhile.
func (d *Daemon) EndUnused() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settle()
}

// Serve returns when the last mount and the last Get are gone or ctx has ended, with everything
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
	d.cancel()
	var work sync.WaitGroup
	work.Go(d.mounting.Wait)
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
	case <-time.After(unmountPatience):
		d.options.Log.Warn("ending although a mount did not end in time")
	}
}

// Close ends a daemon whose mounts are gone.
func (d *Daemon) Close() error {
	d.mu.Lock()
	d.ending = true
	d.mu.Unlock()
	d.cancel()
	d.first.close()
	d.page.close()
	d.socket.close()
	done := make(chan error, 1)
	go func() {
		d.sampling.Wait()
		done <- d.store.Close()
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(storePatience):
		return fmt.Errorf("the store did not close within %v", storePatience)
	}
}

// SystemStore is the folder of root's store.
const SystemStore = "/var/cache/zsyncfs"

// DefaultStore is the folder of the store when the user names none: zsyncfs in
// $XDG_CACHE_HOME, else SystemStore for root, who may have no home directory when
// systemd mounts, and ~/.cache/zsyncfs for others.
func DefaultStore() (string, error) {
	if os.Geteuid() == 0 && os.Getenv("XDG_CACHE_HOME") == "" {
		return SystemStore, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for the cache: %w", err)
	}
	return filepath.Join(dir, "zsyncfs"), nil
}
