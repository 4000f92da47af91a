package blockstore

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Keys in badger. The values:
//
//	"k" Key          -> name of the version's folder
//	"v" folder name  -> accounting record
//	"m" key          -> 1 byte: 1 when the value goes on under "n"; the value
//	"n" key          -> the rest of a value that is longer than metaSplit
//
// All of "k" and "v" can be made again from the folders; "m" is a cache.
const (
	indexKey     = "k"
	indexVersion = "v"
	indexMeta    = "m"
	indexRest    = "n"
)

// metaSplit keeps every value below the size from which badger writes values
// to its value log, which would need collecting by hand.
const metaSplit = 512 << 10

// index is badger, with its failures made errors. Safe for concurrent use.
type index struct {
	db   *badger.DB
	warn func(error)
}

// account is what the index says about a version that is not open.
type account struct {
	key        Key
	data, disk int64 // bytes of blocks that are here, bytes on the disk
	used       int64 // time of last use, seconds since 1970
}

const accountSize = 1 + 32 + 3*8

func (a account) encode() []byte {
	le := binary.LittleEndian
	out := append([]byte{1}, a.key[:]...)
	return le.AppendUint64(le.AppendUint64(le.AppendUint64(out, uint64(a.data)), uint64(a.disk)), uint64(a.used))
}

func decodeAccount(p []byte) (account, bool) {
	if len(p) != accountSize || p[0] != 1 {
		return account{}, false
	}
	le := binary.LittleEndian
	a := account{key: Key(p[1:33]), data: int64(le.Uint64(p[33:])), disk: int64(le.Uint64(p[41:])), used: int64(le.Uint64(p[49:]))}
	// The bounds keep sums over many versions from overflowing.
	return a, a.data >= 0 && a.data < 1<<56 && a.disk >= 0 && a.disk < 1<<56
}

// openIndex opens the index of the store in dir. An index that cannot be
// opened, even at the second try (after a kill the first try can fail and heal
// what it stumbled over), or in which an earlier process died, is thrown away
// and made anew: everything in it can be had again.
func openIndex(dir string, warn func(error)) (*index, error) {
	path, opening := filepath.Join(dir, indexName), filepath.Join(dir, openingName)
	if _, err := os.Lstat(opening); err == nil {
		warn(errors.New("blockstore: the index is made anew, for the last start did not get past it"))
		if err := os.RemoveAll(path); err != nil {
			return nil, fmt.Errorf("blockstore: index: %w", err)
		}
	}
	// Badger ends the process on some kinds of damage. The mark is what the
	// next start then finds. A full disk must not keep the store from opening.
	if err := replaceFile(opening, opening+".new", nil, false); err != nil {
		warn(writeError("mark the index", err))
	}
	db, err := openBadger(path, warn)
	if err != nil {
		db, err = openBadger(path, warn)
	}
	if err != nil {
		warn(fmt.Errorf("blockstore: the index is damaged and is made anew: %w", err))
		if err := os.RemoveAll(path); err != nil {
			return nil, fmt.Errorf("blockstore: index: %w", err)
		}
		db, err = openBadger(path, warn)
	}
	if err != nil {
		os.Remove(opening)
		return nil, writeError("open the index", err)
	}
	return &index{db: db, warn: warn}, nil
}

// opened says that the index has been read once without harm.
func (x *index) opened(dir string) { os.Remove(filepath.Join(dir, openingName)) }

func openBadger(path string, warn func(error)) (db *badger.DB, err error) {
	defer caught(&err)()
	if err := checkTables(path); err != nil {
		return nil, err
	}
	o := badger.DefaultOptions(path).
		WithLogger(badgerLog{warn}).
		WithMetricsEnabled(false).
		WithBypassLockGuard(true). // the store has a lock of its own
		WithVerifyValueChecksum(true).
		WithChecksumVerificationMode(options.OnTableAndBlockRead).
		WithDetectConflicts(false).
		WithNumVersionsToKeep(1).
		WithMemTableSize(8 << 20).
		WithNumMemtables(2).
		WithNumLevelZeroTables(2).
		WithNumLevelZeroTablesStall(6).
		WithNumCompactors(2).
		WithBlockCacheSize(8 << 20).
		WithIndexCacheSize(4 << 20).
		WithValueThreshold(1 << 20).
		WithValueLogFileSize(1 << 20)
	return badger.Open(o)
}

// caught makes a panic, and a fault in memory that badger mapped, an error.
// It is used as: defer caught(&err)().
func caught(err *error) func() {
	old := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(old)
		if r := recover(); r != nil {
			*err = fmt.Errorf("badger: %v", r)
		}
	}
}

// badgerLog passes on what badger calls errors.
type badgerLog struct{ warn func(error) }

func (l badgerLog) Errorf(f string, a ...any) { l.warn(fmt.Errorf("blockstore: index: "+f, a...)) }
func (badgerLog) Warningf(string, ...any)     {}
func (badgerLog) Infof(string, ...any)        {}
func (badgerLog) Debugf(string, ...any)       {}

func (x *index) close() (err error) {
	defer caught(&err)()
	return x.db.Close()
}

// sync makes all that was written durable.
func (x *index) sync() (err error) {
	defer caught(&err)()
	if err := x.db.Sync(); err != nil {
		return writeError("sync the index", err)
	}
	return nil
}

// update writes set (value nil: delete). It is atomic.
func (x *index) update(set []entry) (err error) {
	defer caught(&err)()
	err = x.db.Update(func(t *badger.Txn) error {
		for _, e := range set {
			err := error(nil)
			if e.value == nil {
				err = t.Delete([]byte(e.key))
			} else {
				err = t.Set([]byte(e.key), e.value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return writeError("write the index", err)
	}
	return nil
}

// entry is one key with its value; a nil value deletes it.
type entry struct {
	key   string
	value []byte
}

// value is the value of key. Errors: ErrNotFound, also when the value is
// damaged, which is told to warn; ErrClosed.
func (x *index) value(key string) ([]byte, error) {
	var p []byte
	err := x.view(func(t *badger.Txn) (err error) {
		p, err = valueOf(t, key)
		return err
	})
	return p, err
}

// metaValue is the value of metadata key, put together. Errors: as value.
func (x *index) metaValue(key string) ([]byte, error) {
	var p []byte
	err := x.view(func(t *badger.Txn) (err error) {
		if p, err = valueOf(t, indexMeta+key); err != nil {
			return err
		}
		if len(p) == 0 {
			return badger.ErrKeyNotFound
		}
		more := p[0] == 1
		p = p[1:]
		if !more {
			return nil
		}
		rest, err := valueOf(t, indexRest+key)
		p = append(p, rest...)
		return err
	})
	return p, err
}

func valueOf(t *badger.Txn, key string) ([]byte, error) {
	item, err := t.Get([]byte(key))
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}

// view reads. Its errors are those of value.
func (x *index) view(f func(*badger.Txn) error) error {
	err := func() (err error) {
		defer caught(&err)()
		return x.db.View(f)
	}()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, badger.ErrDBClosed):
		return ErrClosed
	case !errors.Is(err, badger.ErrKeyNotFound):
		x.warn(fmt.Errorf("blockstore: an entry of the index cannot be read: %w", err))
	}
	return ErrNotFound
}

// each calls f for every entry whose key starts with prefix; value is only
// valid during the call.
func (x *index) each(prefix string, f func(key string, value []byte)) (err error) {
	defer caught(&err)()
	return x.db.View(func(t *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.Prefix = []byte(prefix)
		it := t.NewIterator(o)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			key := string(it.Item().Key()[len(prefix):])
			if err := it.Item().Value(func(v []byte) error { f(key, v); return nil }); err != nil {
				return err
			}
		}
		return nil
	})
}

func keyEntry(k Key, name string) entry {
	e := entry{key: indexKey + hex.EncodeToString(k[:])}
	if name != "" {
		e.value = []byte(name)
	}
	return e
}

func accountEntry(name string, a account) entry {
	return entry{key: indexVersion + name, value: a.encode()}
}
