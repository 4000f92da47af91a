package blockstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
)

const (
	logName     = "log"
	logTempName = "log.new"

	// minLog is how many bytes of changes a file takes at least before it is
	// replaced by one with a snapshot only.
	minLog = 1 << 20
)

// errPartly: entries were given to the caller that must not stay.
var errPartly = errors.New("read in part")

// indexFile is the file of the index. It is written by plain writes only: on a
// full disk those return an error, where a write to a mapped file ends the
// process. Not safe for concurrent use.
type indexFile struct {
	dir   string
	f     *os.File // nil when there is no file that can be added to
	end   logEnd   // behind the last batch
	base  int64    // bytes of head and snapshot
	limit int64    // bytes from which on it is to be replaced
}

// entryList calls f for each entry to be written; key and value are only valid
// during the call, a nil value deletes.
type entryList func(f func(key, value []byte) error) error

func allOf(t *badger.Txn) entryList {
	return func(f func(key, value []byte) error) error { return iterate(t, "", f) }
}

func changedOf(t *badger.Txn, changed changes) entryList {
	return func(f func(key, value []byte) error) error {
		for key := range changed.keys {
			value, err := valueOf(t, key)
			if err != nil && !errors.Is(err, badger.ErrKeyNotFound) {
				return err
			}
			if err := f([]byte(key), value); err != nil {
				return err
			}
		}
		return nil
	}
}

// load gives what is in the file to f, and cuts off an end that is damaged, or
// that a kill left unfinished. No file is an empty one.
//
// Errors: what was found damaged; the file can be used all the same. errPartly
// (wrapped) when what f got must be dropped.
func (x *indexFile) load(f func([]entry) error) error {
	x.tidy()
	file, err := OpenFile(x.path(), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("it is made anew: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return fmt.Errorf("it is made anew: %w", err)
	}
	found, damage := scanLog(io.NewSectionReader(file, 0, info.Size()), info.Size())
	if found.good.size == 0 {
		file.Close()
		return fmt.Errorf("it is made anew: %w", damage)
	}
	if err := applyLog(io.NewSectionReader(file, 0, found.good.size), found.good.size, f); err != nil {
		file.Close()
		return fmt.Errorf("it is made anew: %w: %w", errPartly, err)
	}
	x.f, x.end = file, found.good
	x.setBase(found.snapshot.size)
	if damage == nil {
		return nil
	}
	x.cut()
	return fmt.Errorf("its last %d bytes are dropped: %w", info.Size()-found.good.size, damage)
}

// tidy removes what a kill left, and whatever else is in the index's folder.
func (x *indexFile) tidy() {
	_ = removeOdd(x.path())
	names, _ := os.ReadDir(x.dir)
	for _, e := range names {
		if e.Name() != logName {
			_ = os.RemoveAll(filepath.Join(x.dir, e.Name()))
		}
	}
}

func (x *indexFile) path() string { return filepath.Join(x.dir, logName) }

// usable reports whether there is a file that can be added to.
func (x *indexFile) usable() bool { return x.f != nil }

// bytes is the length of the file, as far as it is whole.
func (x *indexFile) bytes() int64 { return x.end.size }

// setBase says how long the snapshot is.
func (x *indexFile) setBase(size int64) { x.base, x.limit = size, size+max(minLog, 2*size) }

// grown reports whether a new file would be much shorter.
func (x *indexFile) grown() bool { return x.end.size > x.limit }

// postpone has the file grow on for a while.
func (x *indexFile) postpone() { x.limit = x.end.size + minLog }

func (x *indexFile) close() error {
	if x.f == nil {
		return nil
	}
	err := x.f.Close()
	x.f = nil
	return err
}

// cut drops what is behind the last batch. A file that cannot be cut is not
// added to any more.
func (x *indexFile) cut() {
	if err := x.f.Truncate(x.end.size); err != nil {
		x.close()
	}
}

// add writes a batch behind the others and makes it durable. Errors: the
// disk's; the file is as before then, or not usable.
func (x *indexFile) add(set entryList) error {
	end := x.end
	if err := writeBatch(x.f, &end, set); err != nil {
		x.cut()
		return err
	}
	failpoint("index.written")
	if err := syncFile(x.f); err != nil {
		// Which of the bytes are on the disk is not known, and a second sync
		// would not tell. All is written to a new file.
		x.close()
		return err
	}
	x.end = end
	failpoint("index.synced")
	return nil
}

// replace makes a new file of a snapshot alone, and makes it durable. Errors:
// the disk's; the old file is in its place then, if not sure to be usable.
func (x *indexFile) replace(set entryList) error {
	if err := x.makeDir(); err != nil {
		return err
	}
	temp := filepath.Join(x.dir, logTempName)
	if err := removeOdd(temp); err != nil {
		return err
	}
	f, err := OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	head, end := encodeHead(rand.Uint32())
	if _, err = f.WriteAt(head, 0); err == nil {
		err = writeBatch(f, &end, set)
	}
	if err == nil {
		err = syncFile(f)
	}
	if err == nil {
		failpoint("index.snapshot written")
		err = os.Rename(temp, x.path())
	}
	if err != nil {
		f.Close()
		os.Remove(temp)
		return err
	}
	x.close()
	failpoint("index.snapshot named")
	if err := syncDir(x.dir); err != nil {
		// The name may still lead to the old file after a power cut, so the new
		// one must not be added to.
		f.Close()
		return err
	}
	x.f, x.end = f, end
	x.setBase(end.size)
	return nil
}

func (x *indexFile) makeDir() error {
	if info, err := os.Lstat(x.dir); err == nil && !info.IsDir() {
		if err := os.RemoveAll(x.dir); err != nil {
			return err
		}
	}
	if err := os.Mkdir(x.dir, 0o700); errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	return syncDir(filepath.Dir(x.dir))
}

// writeBatch writes the entries as one batch from end on, which is moved
// behind it. Memory: one record.
func writeBatch(f io.WriterAt, end *logEnd, set entryList) error {
	var r record
	flush := func(last bool) error {
		at := end.size
		_, err := f.WriteAt(r.take(last, end), at)
		return err
	}
	err := set(func(key, value []byte) error {
		if !r.fits(key, value) {
			if err := flush(false); err != nil {
				return err
			}
		}
		r.add(key, value)
		return nil
	})
	if err != nil {
		return err
	}
	return flush(true)
}
