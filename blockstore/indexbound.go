package blockstore

import (
	"cmp"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// maxMeta bounds the values of MetaPut that may go, all of which are in memory, with
// their keys, in bytes. When they are more, those that were put longest ago go, until
// half as much is left: so looking for them is rare.
const maxMeta = 64 << 20

// mayGo says whether the value of a key of MetaPut may go to make room for others.
func mayGo(key string) bool { return strings.Contains(key, ":") }

// metaLength is the length of those entries of set that may go.
func metaLength(set []entry) (n int64) {
	for _, e := range set {
		key, isMeta := strings.CutPrefix(e.key, indexMeta)
		if !isMeta {
			_, isMeta = strings.CutPrefix(e.key, indexPiece)
		}
		if isMeta && mayGo(key) {
			n += int64(len(e.key) + len(e.value))
		}
	}
	return n
}

// metaItem is a value of MetaPut.
type metaItem struct {
	key    string
	put    uint64 // badger's count of transactions then
	pieces int    // further ones
	length int64  // about, in bytes
}

// bound makes room when values of MetaPut may be more than maxMeta. It needs mu.
func (x *index) bound() error {
	if x.meta <= x.maxMeta {
		return nil
	}
	items, err := x.metaItems()
	if err != nil {
		return err
	}
	// The youngest first.
	slices.SortFunc(items, func(a, b metaItem) int { return cmp.Compare(b.put, a.put) })
	x.meta = 0
	for _, it := range items {
		if x.meta+it.length <= x.maxMeta/2 {
			x.meta += it.length
			continue
		}
		if err := x.drop(it); err != nil {
			return err
		}
	}
	return nil
}

// metaItems are the values that may go.
func (x *index) metaItems() (out []metaItem, err error) {
	err = x.view(func(t *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.Prefix = []byte(indexMeta)
		o.PrefetchValues = false
		it := t.NewIterator(o)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			item := it.Item()
			key := string(item.Key()[len(indexMeta):])
			if !mayGo(key) {
				continue
			}
			m := metaItem{key: key, put: item.Version()}
			if err := item.Value(func(v []byte) error {
				if len(v) > 0 {
					m.pieces = min(int(v[0]), maxPieces-1)
				}
				m.length = int64((m.pieces+1)*len(key) + m.pieces*metaPiece + len(v))
				return nil
			}); err != nil {
				return err
			}
			out = append(out, m)
		}
		return nil
	})
	return out, err
}

// drop deletes a value of MetaPut. It needs mu.
func (x *index) drop(it metaItem) error {
	set := []entry{{key: indexMeta + it.key}}
	for i := range it.pieces {
		set = append(set, entry{key: pieceKey(it.key, i)})
	}
	for _, e := range set {
		x.changed.add(e.key)
	}
	return x.write(set)
}
