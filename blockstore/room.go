package blockstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// diskPage is what a file system gives room in, in bytes.
	diskPage = 4096
	// holeSize is how many zeros in a row are left out of a data file, in bytes.
	holeSize = 64 << 10
	// freeEvery is how often the file system is asked how much of it is free.
	freeEvery = 200 * time.Millisecond
	// roomPatience is how long a Put waits for what is being evicted.
	roomPatience = 500 * time.Millisecond
)

var zeros = make([]byte, holeSize)

// eachPiece calls f for the pieces of data, which lies at off of a file, that are
// zeros (hole) and that are not. Pieces begin and end at multiples of holeSize in
// the file, or where data does.
func eachPiece(data []byte, off int64, f func(p []byte, off int64, hole bool) error) error {
	for len(data) > 0 {
		n, hole := 0, false
		for n < len(data) {
			step := min(len(data)-n, holeSize-int((off+int64(n))%holeSize))
			zero := step == holeSize && bytes.Equal(data[n:n+step], zeros)
			if n == 0 {
				hole = zero
			} else if zero != hole {
				break
			}
			n += step
		}
		if err := f(data[:n], off, hole); err != nil {
			return err
		}
		data, off = data[n:], off+int64(n)
	}
	return nil
}

// roomFor is how much room data takes at off of a file that has nothing there.
func roomFor(data []byte, off int64) (room int64) {
	_ = eachPiece(data, off, func(p []byte, off int64, hole bool) error {
		if !hole {
			end := (off + int64(len(p)) + diskPage - 1) / diskPage * diskPage
			room += end - off/diskPage*diskPage
		}
		return nil
	})
	return room
}

// writeData writes data at off, and leaves out what is zeros.
func writeData(f *os.File, data []byte, off int64) error {
	return eachPiece(data, off, func(p []byte, off int64, hole bool) error {
		if hole && makeHole(f, off, int64(len(p))) == nil {
			return nil
		}
		_, err := f.WriteAt(p, off)
		return err
	})
}

// makeHole has bytes [off, off+n) read as zeros and take no room; the file reaches
// to their end then.
func makeHole(f *os.File, off, n int64) error {
	if err := punch(f, off, n); err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < off+n {
		_, err = f.WriteAt([]byte{0}, off+n-1)
	}
	return err
}

// punch gives back the room of bytes [off, off+n), which read as zeros then.
func punch(f *os.File, off, n int64) error {
	if n <= 0 {
		return nil
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	ctlErr := raw.Control(func(fd uintptr) {
		for {
			err = unix.Fallocate(int(fd), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
			if err != unix.EINTR {
				return
			}
		}
	})
	return errors.Join(ctlErr, err)
}

// Limits bound the room that a store takes.
type Limits struct {
	// Size is how much the folder takes up at most, in bytes; 0: no bound.
	Size int64
	// MinFree is how much is left free on the file system, in bytes.
	MinFree int64
}

// SetLimits replaces the limits. What is too much is evicted in the background.
// Safe for concurrent use.
func (s *Store) SetLimits(l Limits) {
	s.mu.Lock()
	s.limits, s.free = l, -1
	s.freeAt = time.Time{}
	s.mu.Unlock()
	s.wakeEvictor()
}

// Limits are those in force.
func (s *Store) Limits() Limits {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limits
}

// reserve sets n bytes of room aside, or says that there are none; it waits a
// moment for what is being evicted. Errors: ErrLimit, wrapped.
func (s *Store) reserve(n int64) (int64, error) {
	if n <= 0 {
		return 0, nil
	}
	deadline := time.Now().Add(roomPatience)
	for {
		hint, hope, lack := s.tryReserve(n)
		if lack == nil {
			return n, nil
		}
		if hint == nil || !hope {
			return 0, lack
		}
		select {
		case <-hint:
		case <-time.After(time.Until(deadline)):
			return 0, lack
		}
	}
}

// tryReserve sets n bytes aside. When there is no room, lack says why, more is closed
// when there may be, and hope says that something is being evicted.
func (s *Store) tryReserve(n int64) (more <-chan struct{}, hope bool, lack error) {
	s.refreshFree()
	s.mu.Lock()
	defer s.mu.Unlock()
	used := s.usedLocked()
	l := s.limits
	if l.Size > 0 && used+n > l.Size-l.Size/evictAhead {
		s.wakeEvictor()
	}
	if lack = s.lack(n); lack == nil {
		s.pending += n
		if s.free >= 0 {
			s.free -= n
		}
		return nil, false, nil
	}
	s.wanted = max(s.wanted, n)
	s.wakeEvictor()
	return s.roomier, !s.barren, lack
}

// lack is why n bytes do not fit within the limits; nil when they do. It needs mu.
// Errors: ErrLimit, wrapped.
func (s *Store) lack(n int64) error {
	l := s.limits
	switch {
	case l.Size > 0 && s.usedLocked()+n > l.Size:
		return fmt.Errorf("%w: the cache has its largest size, %d bytes", ErrLimit, l.Size)
	case l.MinFree > 0 && s.free >= 0 && s.free-n < l.MinFree:
		return fmt.Errorf("%w: less than %d bytes would be left free on the disk", ErrLimit, l.MinFree)
	}
	return nil
}

// unreserve gives back room that was set aside.
func (s *Store) unreserve(n int64) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	s.pending -= n
	s.mu.Unlock()
}

// usedLocked is how much room the folder takes, and what is set aside. It needs mu.
func (s *Store) usedLocked() int64 { return s.totals.disk + s.pending + s.indexBytes }

// refreshFree asks the file system how much is free, now and then.
func (s *Store) refreshFree() {
	s.mu.Lock()
	fresh := time.Since(s.freeAt) < freeEvery
	wanted := s.limits.MinFree > 0
	s.mu.Unlock()
	if fresh || !wanted {
		return
	}
	free := freeBytes(s.dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limits.MinFree > 0 { // still
		s.free, s.freeAt = free, time.Now()
	}
}

// madeRoom tells who waits for room that there may be some.
func (s *Store) madeRoom() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.roomier)
	s.roomier = make(chan struct{})
	s.freeAt = time.Time{}
}

// MakeRoom evicts what is needed for n more bytes, as far as that can be done, and
// says how much can be put then, at most n. It is for who needs much room at once.
// Errors: ErrClosed. Safe for concurrent use.
func (s *Store) MakeRoom(n int64) (int64, error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	s.leave() // an eviction opens versions, which enter
	s.evictFor(n)
	s.refreshFree()
	s.mu.Lock()
	defer s.mu.Unlock()
	room := n
	if l := s.limits; l.Size > 0 {
		room = min(room, l.Size-s.usedLocked())
	}
	if free := freeBytes(s.dir); free > 0 {
		room = min(room, free-s.limits.MinFree)
	}
	return max(room, 0), nil
}
