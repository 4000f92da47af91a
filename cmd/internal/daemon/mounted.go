package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/fs"
	"github.com/zsyncfs/zsyncfs/fs/archive"
	"github.com/zsyncfs/zsyncfs/fs/target"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
	"golang.org/x/sys/unix"
)

// firstLook bounds how long a mount waits for its archive to answer.
const firstLook = 20 * time.Second

// indexLimit is the largest index file, in bytes.
const indexLimit = 64 << 20

// mounted is one archive that is mounted, and all that serves it.
type mounted struct {
	spec    Spec                 // as it was mounted
	now     atomic.Pointer[Spec] // as it is now, in what can be changed
	since   time.Time
	client  *zsyncclient.Client
	archive *archive.Archive
	single  bool // the source is one control file
	pool    *target.Pool
	history history
	fs      atomic.Pointer[fs.FS] // archive and pool may report changes before it is set
	mount   *fs.Mount

	closing  sync.Once
	closeErr error
	gone     chan struct{} // closed when the daemon has forgotten the mount
	place    string        // its key among the daemon's mounts; guarded by Daemon.mu
}

// open builds what serves spec and mounts it; on an error nothing is left.
// client is one that was made for it; nil when there is none yet.
func open(ctx context.Context, spec Spec, client *zsyncclient.Client, store *blockstore.Store, o Options) (*mounted, error) {
	log := o.Log.With("mount", spec.Dir)
	m := &mounted{spec: spec, since: time.Now(), client: client, gone: make(chan struct{})}
	m.now.Store(&spec)
	if m.client == nil {
		var err error
		if m.client, err = spec.newClient(ctx, o); err != nil {
			return nil, err
		}
	}
	if err := m.build(ctx, store, log); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

func (m *mounted) build(ctx context.Context, store *blockstore.Store, log *slog.Logger) error {
	ctx, cancel := context.WithTimeoutCause(ctx, firstLook, fmt.Errorf("no answer within %v", firstLook))
	defer cancel()
	if err := m.openArchive(ctx, store, log); err != nil {
		return err
	}
	if err := m.look(ctx); err != nil {
		return err
	}
	depth := m.stackDepth(store)
	o := target.Options{
		Mirrors:  m.spec.MirrorURLs(),
		Warn:     func(path string, err error) { log.Warn(err.Error(), "artifact", path) },
		Showable: m.showable(depth),
	}
	m.targetOptions(&o, &m.spec)
	m.pool = target.NewPool(store, m.client, o)
	f := fs.New(m.archive, m.pool, fs.Options{
		Name:         m.name(),
		Refresh:      m.spec.Refresh,
		ReadDeadline: m.spec.ReadDeadline,
		AllowOther:   m.spec.AllowOther,
		UID:          m.spec.UID,
		GID:          m.spec.GID,
		Umask:        m.spec.Umask,
		NoExec:       m.spec.NoExec,
		CacheDir:     store.Dir(),
		At:           m.spec.At,
		StackDepth:   depth,
		Debug:        m.spec.Debug,
		Log:          func(path string, err error) { log.Error(err.Error(), "path", path) },
	})
	m.fs.Store(f)
	var err error
	m.mount, err = f.Mount(m.spec.Dir)
	return err
}

// targetOptions puts into o what spec says and may say otherwise later.
func (m *mounted) targetOptions(o *target.Options, spec *Spec) {
	o.ReadDeadline = spec.ReadDeadline * 19 / 20 // so that a read learns why nothing came
	o.Share = spec.Share
	o.Seeds, o.Avoid = spec.Seeds, mountPoints
	o.Fill = spec.Fill
	o.Strict = spec.Strict
}

// stackDepth is what fs.Options has of this name.
func (m *mounted) stackDepth(store *blockstore.Store) int {
	if m.spec.NoPassthrough || os.Geteuid() != 0 {
		return 0
	}
	var st unix.Statfs_t
	if err := unix.Statfs(store.Dir(), &st); err == nil && st.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return 2
	}
	return 1
}

// showable tells the kernel of targets that it may read by itself; nil when it is not
// to.
func (m *mounted) showable(depth int) func(*target.Target) {
	if depth == 0 {
		return nil
	}
	return func(t *target.Target) {
		if f := m.fs.Load(); f != nil {
			f.Showable(t)
		}
	}
}

// newClient is the client of a mount.
func (s *Spec) newClient(ctx context.Context, o Options) (*zsyncclient.Client, error) {
	log := o.Log.With("mount", s.Dir)
	return s.NewClient(ctx, "zsyncfs/"+o.Version, func(err error) { log.Warn(err.Error()) }, s.Source, s.IndexFile)
}

// name is what df and mount show as the source: everybody may read it, so it
// has no credentials and no query.
func (m *mounted) name() string { return m.spec.Name() }

// openArchive chooses the kind of archive that the spec names.
func (m *mounted) openArchive(ctx context.Context, store *blockstore.Store, log *slog.Logger) error {
	o := archive.Options{
		Client:  m.client,
		Meta:    store,
		Refresh: m.spec.Refresh,
		Warn:    func(err error) { log.Warn(err.Error()) },
		Changed: func(dir, name string) {
			if f := m.fs.Load(); f != nil {
				f.EntryChanged(dir, name)
			}
		},
	}
	if m.spec.IndexFile != "" {
		list, err := m.readIndex(ctx)
		if err != nil {
			return err
		}
		m.archive = archive.NewIndex(list, m.readIndex, o)
		return nil
	}
	u, err := access.ParseURL(m.spec.Source)
	if err != nil {
		return err
	}
	if m.single = strings.HasSuffix(u.Path, ".zsync"); m.single {
		m.archive = archive.NewSingle(u, o)
	} else {
		m.archive = archive.NewDirectory(u, o)
	}
	return nil
}

// readIndex reads the index file. One of this machine has its URLs named by the user,
// so that they may be reached, and get his credentials. What a server lists is no
// more than what any listing leads to.
func (m *mounted) readIndex(ctx context.Context) (*listing.Listing, error) {
	list, err := m.parseIndex(ctx)
	if err != nil {
		return nil, fmt.Errorf("read index file %s: %w", m.name(), err)
	}
	if access.IsURL(m.spec.IndexFile) {
		return list, nil
	}
	for _, e := range list.Files {
		if u, err := access.ParseURL(e.URL); err == nil {
			m.client.AddOrigin(u)
		}
	}
	return list, nil
}

func (m *mounted) parseIndex(ctx context.Context) (*listing.Listing, error) {
	if u, err := access.ParseURL(m.spec.IndexFile); err == nil {
		return m.client.FetchIndex(ctx, u)
	}
	// It is read again and again: a pipe would be waited for.
	f, err := os.OpenFile(m.spec.IndexFile, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("it is no regular file"))
	}
	body, err := io.ReadAll(io.LimitReader(f, indexLimit+1))
	if err != nil {
		return nil, err
	}
	if len(body) > indexLimit {
		return nil, fmt.Errorf("it is larger than %d bytes", indexLimit)
	}
	return listing.ParseIndex(ctx, nil, body)
}

// look asks for what the root shows, so that a wrong URL is an error of the
// mount and not of the first read.
func (m *mounted) look(ctx context.Context) error {
	entries, err := m.archive.Root().Entries(ctx)
	if err != nil {
		return err
	}
	if m.single && len(entries) == 1 && entries[0].File != nil {
		_, err = entries[0].File.Control(ctx)
	}
	return err
}

// ended says that the kernel has let go of the mount.
func (m *mounted) ended() bool {
	select {
	case <-m.mount.Ended():
		return true
	default:
		return false
	}
}

// detached says that the mount is not on its mount point any more: files are
// open after a lazy unmount, or another mount namespace has a copy.
func (m *mounted) detached() bool { return m.mount.Detached() }

// unmount takes the mount away; open files of it fail from then on.
func (m *mounted) unmount() error { return m.mount.Unmount() }

// close ends what served the mount, once. It must be unmounted, or the process
// about to end: programs that have files of a detached mount open get errors
// from then on.
func (m *mounted) close() error {
	m.closing.Do(func() { m.closeErr = m.end() })
	return m.closeErr
}

// closePatience is how long a new mount waits until the one before it is closed.
const closePatience = 10 * time.Second

// awaitClosed waits until the daemon has forgotten m. Errors: ErrClosing (wrapped);
// the cause of ctx's end.
func (m *mounted) awaitClosed(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, closePatience, fmt.Errorf("%s: %w after %v", m.spec.Dir, ErrClosing, closePatience))
	defer cancel()
	select {
	case <-m.gone:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (m *mounted) end() error {
	var err error
	if m.archive != nil {
		m.archive.Close()
	}
	if m.pool != nil {
		err = m.pool.Close()
	}
	if f := m.fs.Load(); f != nil {
		f.Close()
	}
	m.client.Close()
	return err
}
