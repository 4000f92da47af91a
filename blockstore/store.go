package blockstore

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Store is one folder, owned by one process. Safe for concurrent use.
type Store struct {
	dir     string
	options Options
	lock    *os.File
	// lockInfo is the lock's file, as it was when it was locked.
	lockInfo os.FileInfo
	index    *index
	opened   time.Time

	// life is read-held during every use of the index outside of the
	// checkpointer, and write-held to close the store.
	life   sync.RWMutex
	closed bool // guarded by life

	mu     sync.Mutex    // no I/O while held
	open   map[Key]*slot // guarded by mu
	totals totals        // guarded by mu
	// orphans are open versions that were discarded.
	orphans  map[*Version]struct{}    // guarded by mu
	segments map[Key]*segment         // those in use; guarded by mu
	claims   map[*claimed]struct{}    // bytes that are being changed; guarded by mu
	watches  map[*watch]struct{}      // of those who want to know of claims; guarded by mu
	sharers  map[Key]map[Key]struct{} // who may have blocks in whose segment; guarded by mu

	// moving is held, with I/O, while blocks are moved from one version's file to
	// another's or evicted, and read-held while new ones are shared.
	moving sync.RWMutex
	// gathers has what is being gathered, one at a time; it comes before evicting and moving.
	gathers chan struct{}
	// evicting is held during an eviction, with its I/O.
	evicting sync.Mutex

	pins       map[Key]int   // data files that are read past the store; guarded by mu
	proofs     map[Key]proof // of versions that were closed; guarded by mu
	limits     Limits        // guarded by mu
	pending    int64         // room set aside that totals do not have yet; guarded by mu
	indexBytes int64         // guarded by mu
	free       int64         // of the file system, as of freeAt; -1 unknown; guarded by mu
	freeAt     time.Time     // guarded by mu
	wanted     int64         // the most that somebody found no room for since the last eviction; guarded by mu
	barren     bool          // nothing can be evicted just now; guarded by mu
	roomier    chan struct{} // closed and replaced when something was evicted; guarded by mu
	troubles   troubles      // guarded by mu

	dirtyBytes atomic.Int64 // put since the last checkpoint
	noHoles    atomic.Bool  // the disk gives back the room of whole files only

	kick  chan struct{} // has room for one
	evict chan struct{} // has room for one
	stop  chan struct{}
	work  sync.WaitGroup
}

// totals are sums over all versions, as the index has them.
type totals struct {
	versions           int
	data, shared, disk int64 // bytes in own segments; in others'; on the disk
}

// Open locks dir (made with mode 0700 when absent) and reads its index. What
// it does per version is one record of the index and one name of a folder; a
// version's files are only read when the index does not know it; their sizes are looked
// at in the background.
//
// Errors: *LockedError when another process owns it; *LayoutError when it was
// written by a newer program; ErrNotStore, ErrUnsafe and ErrFull (wrapped). Damage
// is no error: what is lost is told to Options.Warn.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{
		dir: dir, options: o.withDefaults(), open: map[Key]*slot{}, orphans: map[*Version]struct{}{},
		opened: time.Now(), pins: map[Key]int{}, proofs: map[Key]proof{},
		segments: map[Key]*segment{}, claims: map[*claimed]struct{}{}, watches: map[*watch]struct{}{}, gathers: make(chan struct{}, 1), sharers: map[Key]map[Key]struct{}{}, free: -1, roomier: make(chan struct{}),
		kick: make(chan struct{}, 1), evict: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	s.limits = s.options.Limits
	if err := MakeFolder(dir, s.options); err != nil {
		return nil, err
	}
	if err := s.own(); err != nil {
		return nil, err
	}
	condemned, err := s.load()
	if err != nil {
		if s.index != nil {
			s.index.close()
		}
		s.lock.Close()
		return nil, err
	}
	// Past the end of a file nothing is given back.
	s.noHoles.Store(isNoHoles(punch(s.lock, 1<<30, diskPage)))
	s.work.Add(3)
	go s.checkpointer()
	go s.evictor()
	go func() {
		defer s.work.Done()
		s.survey()
		s.sweep(condemned)
	}()
	return s, nil
}

// load reads what Open must know. It returns the names of folders to remove.
func (s *Store) load() ([]string, error) {
	if err := checkFormat(s.dir, s.options.Beside, s.options.Warn); err != nil {
		return nil, err
	}
	if err := makeVersionsDir(s.versionsDir()); err != nil {
		return nil, err
	}
	var err error
	if s.index, err = openIndex(s.dir, s.options.Warn); err != nil {
		return nil, err
	}
	return s.reconcile()
}

// Close checkpoints and unlocks. Versions must have been closed before; those
// that were not are closed now. A second Close returns ErrClosed.
func (s *Store) Close() error {
	s.life.Lock()
	if s.closed {
		s.life.Unlock()
		return ErrClosed
	}
	s.closed = true
	s.life.Unlock()
	close(s.stop)
	s.work.Wait()
	var errs []error
	for _, v := range s.versions() {
		errs = append(errs, v.end())
	}
	errs = append(errs, s.syncIndex(), s.index.close(), s.lock.Close())
	return errors.Join(errs...)
}

// Dir is the store's folder.
func (s *Store) Dir() string { return s.dir }

func (s *Store) versionsDir() string { return filepath.Join(s.dir, versionsName) }

// enter keeps the store open; leave must follow. Errors: ErrClosed.
func (s *Store) enter() error {
	s.life.RLock()
	if s.closed {
		s.life.RUnlock()
		return ErrClosed
	}
	return nil
}

func (s *Store) leave() { s.life.RUnlock() }

// versions are those that are open.
func (s *Store) versions() []*Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*Version
	for _, e := range s.open {
		if v := e.version.Load(); v != nil {
			out = append(out, v)
		}
	}
	for v := range s.orphans {
		out = append(out, v)
	}
	return out
}

// discarded says whether v was taken out of the store: its Key may be another's by
// now. Who holds moving knows that it stays as it is.
func (s *Store) discarded(v *Version) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, gone := s.orphans[v]
	return gone
}

// wrote counts n bytes that the next checkpoint has to make durable.
func (s *Store) wrote(n int64) {
	if s.dirtyBytes.Add(n) < s.options.CheckpointBytes {
		return
	}
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// checkpointer makes durable what was written, until the store is closed.
func (s *Store) checkpointer() {
	defer s.work.Done()
	tick := time.NewTicker(s.options.CheckpointInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		case <-s.kick:
		}
		s.checkpoint()
		s.lookAfter()
	}
}

// checkpoint makes durable what was written to all open versions.
func (s *Store) checkpoint() {
	defer s.noteIndex()
	for _, v := range s.versions() {
		v.folder.Lock()
		if v.parts != nil {
			_ = v.checkpoint() // says itself what fails
		}
		v.folder.Unlock()
	}
	_ = s.syncIndex() // says itself what fails
}

// syncIndex makes durable what the index was told. When the folder is not ours any
// more, nothing is written by its name.
func (s *Store) syncIndex() error {
	err := s.owns()
	if err == nil {
		err = s.index.sync()
	}
	s.trouble(err)
	return err
}

// commit is syncIndex of an open store.
func (s *Store) commit() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.syncIndex()
}

// updateIndex writes set to the index, in parts.
func (s *Store) updateIndex(set []entry) error {
	for part := range slices.Chunk(set, maxUpdate) {
		if err := s.index.update(part); err != nil {
			return err
		}
	}
	return nil
}

// book replaces what a version adds to the totals, room that was set aside for it
// among it.
func (s *Store) book(booked *account, now account, room int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.totals.data += now.own - booked.own
	s.totals.shared += now.data - now.own - booked.data + booked.own
	s.totals.disk += now.disk - booked.disk
	s.pending -= room
	*booked = now
}

// noteIndex notes how much room the index takes.
func (s *Store) noteIndex() {
	n := s.index.size()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.indexBytes = n
}

// Stats is a snapshot of the store.
type Stats struct {
	Versions  int
	DataBytes int64 // bytes of blocks that are here, each once
	// SharedBytes are those of blocks that versions have in others' files.
	SharedBytes int64
	DiskBytes   int64 // bytes on the disk that the folder takes up, and those set aside
	FreeBytes   int64 // bytes free on its file system
	Limits      Limits
	Trouble     *Trouble // nil: the store keeps what it is given
}

// Stats costs a few system calls, and a look at each version that is open.
func (s *Store) Stats() Stats {
	out := Stats{FreeBytes: freeBytes(s.dir), Trouble: s.Trouble()}
	for _, v := range s.versions() {
		v.mu.Lock()
		here, own := v.table.bytes()
		s.mu.Lock() // what the totals have of it is replaced
		out.DataBytes += own - v.booked.own
		out.SharedBytes += here - own - (v.booked.data - v.booked.own)
		s.mu.Unlock()
		v.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Versions, out.Limits = s.totals.versions, s.limits
	out.DataBytes += s.totals.data
	out.SharedBytes += s.totals.shared
	out.DiskBytes = s.usedLocked()
	return out
}
