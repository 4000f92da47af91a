package blockstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Trouble is why a store does not keep what it is given, or not all of it.
type Trouble struct {
	Since time.Time
	// Err is what failed last: ErrLimit, ErrFull, ErrGone or the disk's own error
	// (EROFS, EIO), wrapped.
	Err error
}

const (
	probeName = "probe"
	// probeLength is how many bytes must be writable for a trouble of the disk to be
	// over, in bytes.
	probeLength = 64 << 10
	// tellAgain is how long a trouble that comes back is not told again. It doubles
	// each time, up to tellAtMost: a neighbour that takes the last byte and frees it
	// again and again must not fill the log.
	tellAgain, tellAtMost = time.Minute, time.Hour
	// limitLasts is how long the limits must have left no room for that to be told.
	limitLasts = 5 * time.Second
)

// troubles is what a store knows of its trouble. Guarded by Store.mu.
type troubles struct {
	now  *Trouble // nil: none
	kind string   // of now
	room int64    // how much was wanted when the limits left none
	told bool     // something of now was
	// rests are when a trouble of a kind may be told again.
	rests map[string]rest
}

// rest is how long a kind of trouble is not told.
type rest struct {
	pause time.Duration
	until time.Time
}

// Kinds of trouble that others ask for.
const kindGone, kindLimit, kindFailing = "gone", "limit", "failing"

// kindOf tells troubles apart that a person would call different.
func kindOf(err error) string {
	switch {
	case errors.Is(err, ErrGone):
		return kindGone
	case errors.Is(err, ErrLimit):
		return kindLimit
	case errors.Is(err, ErrFull):
		return "full"
	case errors.Is(err, unix.EROFS):
		return "read-only"
	}
	return kindFailing
}

// trouble notes that something could not be kept, or read back, for err. It tells
// Options.Warn once, until that is over. Nil is no trouble.
func (s *Store) trouble(err error) { s.troubleFor(err, 0) }

// troubleFor is trouble; room is how much was wanted within the limits, in bytes.
func (s *Store) troubleFor(err error, room int64) {
	if err == nil || errors.Is(err, ErrClosed) {
		return
	}
	if !isDisk(err) && !errors.Is(err, ErrFull) && !errors.Is(err, ErrGone) {
		s.options.Warn(err)
		return
	}
	if s.owns() != nil {
		err = fmt.Errorf("%w: %s", ErrGone, s.dir)
	}
	s.mu.Lock()
	t := &s.troubles
	kind, tell := kindOf(err), false
	if t.now == nil || t.kind != kind {
		since := time.Now()
		if t.now != nil {
			since = t.now.Since
		}
		t.now, t.kind = &Trouble{Since: since}, kind
		// While room is made a Put may find none, which is no news.
		tell = kind != kindLimit && t.mayTell()
	}
	t.now.Err, t.room = err, room
	s.mu.Unlock()
	if tell {
		s.tell(err)
	}
}

func (s *Store) tell(err error) {
	s.options.Warn(fmt.Errorf("the store in %s does not keep what is fetched: %w; reads go on", s.dir, err))
}

// mayTell says whether the trouble is to be told now. It needs Store.mu.
func (t *troubles) mayTell() bool {
	r, now := t.rests[t.kind], time.Now()
	if now.Before(r.until) {
		return false
	}
	if now.Sub(r.until) > tellAtMost {
		r.pause = 0
	}
	r.pause = min(max(2*r.pause, tellAgain), tellAtMost)
	r.until = now.Add(r.pause)
	if t.rests == nil {
		t.rests = map[string]rest{}
	}
	t.rests[t.kind], t.told = r, true
	return true
}

// Trouble is why the store does not keep what it is given; nil when it does. It is
// over when something can be written again, which is tried now and then. Safe for
// concurrent use.
func (s *Store) Trouble() *Trouble {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.troubles.now == nil {
		return nil
	}
	t := *s.troubles.now
	return &t
}

// isFailing says whether the disk fails to do what it should, other than for want of
// room.
func (s *Store) isFailing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.troubles.now != nil && s.troubles.kind == kindFailing
}

// lookAfter sees whether a trouble is over.
func (s *Store) lookAfter() {
	s.mu.Lock()
	t := s.troubles
	s.mu.Unlock()
	switch {
	case t.now == nil, t.kind == kindGone && s.owns() != nil:
		return
	case t.kind == kindLimit:
		if !s.fits(t.room) {
			s.tellLimit()
			return
		}
	default:
		if err := s.probe(); err != nil {
			s.trouble(writeError("write to the disk", err))
			return
		}
	}
	s.mu.Lock()
	if s.troubles.now == nil || s.troubles.kind != t.kind {
		s.mu.Unlock()
		return
	}
	s.troubles.now, s.troubles.told = nil, false
	s.mu.Unlock()
	if t.told {
		s.options.Warn(fmt.Errorf("the store in %s keeps what is fetched again, after %v", s.dir, time.Since(t.now.Since).Round(time.Second)))
	}
}

// tellLimit tells of limits that have left no room for a while.
func (s *Store) tellLimit() {
	s.mu.Lock()
	t := &s.troubles
	tell := t.now != nil && t.kind == kindLimit && !t.told && time.Since(t.now.Since) > limitLasts && t.mayTell()
	var err error
	if tell {
		err = t.now.Err
	}
	s.mu.Unlock()
	if tell {
		s.tell(err)
	}
}

// fits says whether n bytes would find room within the limits.
func (s *Store) fits(n int64) bool {
	s.refreshFree()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lack(n) == nil
}

// probe writes a file of probeLength bytes, makes it durable and removes it.
func (s *Store) probe() error {
	path := filepath.Join(s.dir, probeName)
	if err := removeOdd(path); err != nil {
		return err
	}
	f, err := OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	p := make([]byte, probeLength)
	for i := range p {
		p[i] = 1 // no file system leaves these out
	}
	_, err = f.Write(p)
	if err == nil {
		err = syncFile(f)
	}
	return errors.Join(err, f.Close(), os.Remove(path))
}
