package blockstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Data is the file that holds a target from its first byte to its last. It may be
// longer than the target. Its bytes stay as they are until Close.
type Data struct {
	*os.File
	unpin func()
}

// Close closes the file.
func (d *Data) Close() error {
	d.unpin()
	return d.File.Close()
}

// OpenData opens the file that holds all of the version, for reading: to clone or to copy
// it. Blocks that lie in other versions' files are brought into it first, as Gather does;
// from files that are being read they are copied, so that these bytes take room twice. The
// bytes are those of ReadAt only if every block was read, and so checked, since Open.
//
// Errors: ErrUnknownBlock when blocks are missing; those of Gather, but not ErrInUse.
// Safe for concurrent use.
func (v *Version) OpenData(ctx context.Context) (*Data, error) {
	if v.nowhere || v.KnownCount() < v.geometry().BlockCount() {
		return nil, ErrUnknownBlock
	}
	unpin := v.store.pin(v.key) // so others take nothing out of it meanwhile
	err := v.gatherAll(ctx, gathering{copying: true})
	var f *os.File
	if err == nil {
		f, err = v.openData()
	}
	if err != nil {
		unpin()
		return nil, err
	}
	return &Data{File: f, unpin: unpin}, nil
}

// pin keeps the bytes of key's data file as they are until the function that it
// returns is called.
func (s *Store) pin(key Key) (unpin func()) {
	s.moving.RLock() // nothing is being moved out of it just now
	defer s.moving.RUnlock()
	return s.addPin(key)
}

// addPin is pin for who has moving for reading.
func (s *Store) addPin(key Key) (unpin func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pins[key]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.pins[key]--; s.pins[key] == 0 {
			delete(s.pins, key)
		}
	})
}

func (v *Version) openData() (*os.File, error) {
	v.mu.Lock()
	whole := v.table.ownCount() == v.table.blocks
	v.mu.Unlock()
	if !whole {
		return nil, ErrUnknownBlock
	}
	v.folder.Lock()
	defer v.folder.Unlock()
	if v.parts == nil {
		return nil, ErrClosed
	}
	f, err := OpenFile(filepath.Join(v.path(), dataName), os.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("blockstore: %w", err)
	}
	mine, err := v.parts.data.Stat()
	theirs, err2 := f.Stat()
	if err = errors.Join(err, err2); err == nil && !os.SameFile(mine, theirs) {
		err = fmt.Errorf("%s was replaced", f.Name())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("blockstore: %w", err)
	}
	return f, nil
}
