package blockstore

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Keys in badger. The values:
//
//	"k" Key          -> name of the version's folder
//	"v" folder name  -> accounting record
//	"s" Key          -> sketch
//	"p" Key          -> nothing: the version is kept when room is made
//	"m" key, "n" ... -> value of MetaPut, in pieces (indexmeta.go)
//
// All of "k" and "v" can be made again from the folders; the rest is a cache.
const (
	indexKey     = "k"
	indexVersion = "v"
	indexSketch  = "s"
	indexKept    = "p"
	indexMeta    = "m"
	indexPiece   = "n"
)

// maxIndexKey and maxIndexValue are the longest key and value, in bytes.
const (
	maxIndexKey   = len(indexPiece) + 1 + MaxMetaKey
	maxIndexValue = 1 + metaPiece
)

// maxUpdate is how many entries are written at once: a transaction of badger
// has a bound, which 64 KiB of entries, or one entry, are below.
const maxUpdate = 500

// index is badger in memory, made to last by a file. Safe for concurrent use.
type index struct {
	db   *badger.DB
	warn func(error)

	// saving is held while the file is written, with its I/O.
	saving sync.Mutex
	file   indexFile // guarded by saving

	// mu is held while badger is written, which is no I/O: the keys and the
	// content that a save takes then belong together.
	mu      sync.Mutex
	changed changes // guarded by mu; since the last save
	// meta is the length of the values that may go to keep it below maxMeta, in bytes,
	// at most: what was replaced or deleted counts until bound looks. Guarded by mu.
	meta, maxMeta int64
}

// entry is one key with its value; a nil value deletes it.
type entry struct {
	key   string
	value []byte
}

// changes are the keys that differ from what is on the disk, or all of them.
type changes struct {
	keys map[string]struct{}
	size int // bytes of keys
	all  bool
}

// maxChanges bounds the bytes of keys that wait for a disk with room. With
// more, the whole index is written again once there is.
const maxChanges = 4 << 20

// keyCost is what a key costs in a map, in bytes, besides itself.
const keyCost = 32

func (c *changes) add(key string) {
	if _, in := c.keys[key]; in || c.all {
		return
	}
	if c.size += len(key) + keyCost; c.size > maxChanges {
		*c = changes{all: true}
		return
	}
	if c.keys == nil {
		c.keys = map[string]struct{}{}
	}
	c.keys[key] = struct{}{}
}

func (c *changes) addAll(other changes) {
	if other.all {
		*c = changes{all: true}
	}
	for key := range other.keys {
		c.add(key)
	}
}

func (c *changes) empty() bool { return len(c.keys) == 0 && !c.all }

// openIndex opens the index of the store in dir. What cannot be read is left
// out and told to warn. Nothing is written, so a full disk is no hindrance.
func openIndex(dir string, warn func(error)) (*index, error) {
	x := &index{warn: warn, maxMeta: maxMeta, file: indexFile{dir: filepath.Join(dir, indexName)}}
	var err error
	if x.db, err = openBadger(); err != nil {
		return nil, fmt.Errorf("blockstore: open the index: %w", err)
	}
	err = x.file.load(x.restore)
	if err == nil {
		return x, nil
	}
	warn(fmt.Errorf("blockstore: index: %w", err))
	x.changed.all = !x.file.usable()
	if !errors.Is(err, errPartly) {
		return x, nil
	}
	// Some of a batch is in it, and the rest is not to be had.
	x.db.Close()
	x.meta = 0
	if x.db, err = openBadger(); err != nil {
		return nil, fmt.Errorf("blockstore: open the index: %w", err)
	}
	return x, nil
}

func openBadger() (*badger.DB, error) {
	o := badger.DefaultOptions("").
		WithInMemory(true).
		WithLogger(nil).
		WithMetricsEnabled(false).
		WithDetectConflicts(false).
		WithNumVersionsToKeep(1).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		// A transaction takes 15 % of this.
		WithMemTableSize(1 << 20).
		WithNumMemtables(1).
		WithBaseTableSize(256 << 10).
		// All below level 0 in one level, so that compactions find what was
		// replaced and drop it.
		WithBaseLevelSize(1 << 30).
		WithNumLevelZeroTables(2).
		WithNumLevelZeroTablesStall(4).
		WithNumCompactors(2).
		// In memory, a value as long as this makes badger panic.
		WithValueThreshold(maxIndexValue + 1)
	return badger.Open(o)
}

// size is the length of its file, in bytes.
func (x *index) size() int64 {
	x.saving.Lock()
	defer x.saving.Unlock()
	return x.file.bytes()
}

func (x *index) close() error { return errors.Join(x.file.close(), x.db.Close()) }

// restore writes entries that were loaded, which need not be saved again.
func (x *index) restore(set []entry) error {
	for part := range slices.Chunk(set, maxUpdate) {
		// Not by badger's WriteBatch: without reads in between, compactions
		// drop nothing of what was replaced.
		if err := x.write(part); err != nil {
			return err
		}
		x.meta += metaLength(part)
	}
	return nil
}

// update writes set, of at most maxUpdate entries. It is atomic, for readers
// and on the disk. It is durable after the next sync.
func (x *index) update(set []entry) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range set {
		x.changed.add(e.key)
	}
	return x.write(set)
}

// write writes set to badger, in one transaction.
func (x *index) write(set []entry) error {
	err := x.db.Update(func(t *badger.Txn) error {
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
		return fmt.Errorf("blockstore: write the index: %w", err)
	}
	return nil
}

// sync makes all that was written durable. When it fails the index goes on in
// memory, and the next sync tries again.
func (x *index) sync() error {
	x.saving.Lock()
	defer x.saving.Unlock()
	x.mu.Lock()
	changed := x.changed
	if changed.empty() {
		x.mu.Unlock()
		return nil
	}
	x.changed = changes{}
	t := x.db.NewTransaction(false)
	x.mu.Unlock()
	defer t.Discard()
	err := x.save(t, changed)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("the index is kept in memory until it can be written: %w", writeError("write the index", err))
	x.mu.Lock()
	x.changed.addAll(changed)
	x.mu.Unlock()
	return err
}

// save needs saving.
func (x *index) save(t *badger.Txn, changed changes) error {
	if changed.all || !x.file.usable() {
		return x.file.replace(allOf(t))
	}
	if err := x.file.add(changedOf(t, changed)); err != nil {
		return err
	}
	if x.file.grown() {
		// All is durable already, so a failure is only told.
		if err := x.file.replace(allOf(t)); err != nil {
			x.file.postpone()
			x.warn(writeError("shorten the file of the index", err))
		}
	}
	return nil
}

// value is the value of key. Errors: ErrNotFound; ErrClosed.
func (x *index) value(key string) (p []byte, err error) {
	err = x.view(func(t *badger.Txn) (err error) {
		p, err = valueOf(t, key)
		return err
	})
	return p, err
}

// view reads. Its errors are those of value.
func (x *index) view(f func(*badger.Txn) error) error {
	err := x.db.View(f)
	switch {
	case errors.Is(err, badger.ErrKeyNotFound):
		return ErrNotFound
	case errors.Is(err, badger.ErrDBClosed):
		return ErrClosed
	}
	return err
}

// valueOf is the value of key, not nil. Errors: badger.ErrKeyNotFound.
func valueOf(t *badger.Txn, key string) ([]byte, error) {
	item, err := t.Get([]byte(key))
	if err != nil {
		return nil, err
	}
	p, err := item.ValueCopy(nil)
	if err == nil && p == nil {
		p = []byte{}
	}
	return p, err
}

// each calls f for every entry whose key starts with prefix; value is only
// valid during the call.
func (x *index) each(prefix string, f func(key string, value []byte)) error {
	return x.db.View(func(t *badger.Txn) error {
		return iterate(t, prefix, func(key, value []byte) error {
			f(string(key[len(prefix):]), value)
			return nil
		})
	})
}

// iterate calls f in the order of keys; key and value, which is not nil, are
// only valid during the call.
func iterate(t *badger.Txn, prefix string, f func(key, value []byte) error) error {
	o := badger.DefaultIteratorOptions
	o.Prefix = []byte(prefix)
	o.PrefetchValues = false // a hundred at a time, which can be 100 MiB
	it := t.NewIterator(o)
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		err := item.Value(func(v []byte) error {
			if v == nil {
				v = []byte{} // to f, nil would be a deleted one
			}
			return f(item.Key(), v)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
