package blockstore

import (
	"errors"
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// Values of MetaPut are kept in pieces of metaPiece bytes: badger in memory
// must be given none of 1 MiB, and what it sets aside is a multiple of the
// largest that it can take. The first piece is the entry indexMeta of the key,
// after a byte that counts the others; these are entries indexPiece, a byte
// from 0 on, and the key.
const (
	metaPiece = 64 << 10
	maxPieces = (MaxMetaValue + metaPiece - 1) / metaPiece
)

func pieceKey(key string, i int) string { return indexPiece + string([]byte{byte(i)}) + key }

// metaEntries is what keeps value.
func metaEntries(key string, value []byte) []entry {
	pieces := slices.Collect(slices.Chunk(value, metaPiece))
	if len(pieces) == 0 {
		pieces = [][]byte{{}}
	}
	set := []entry{{key: indexMeta + key, value: append([]byte{byte(len(pieces) - 1)}, pieces[0]...)}}
	for i, p := range pieces[1:] {
		set = append(set, entry{key: pieceKey(key, i), value: p})
	}
	return set
}

// setMeta replaces the value of a key of MetaPut by set, its first entry and
// those of the further pieces.
func (x *index) setMeta(key string, set []entry) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	before, err := x.pieces(key)
	if err != nil {
		return err
	}
	for i := len(set) - 1; i < before; i++ {
		set = append(set, entry{key: pieceKey(key, i)})
	}
	// One transaction does not take them all. Who reads pieces, and who saves,
	// holds mu.
	for i, e := range set {
		x.changed.add(e.key)
		if err := x.write(set[i : i+1]); err != nil {
			return err
		}
	}
	x.meta += metaLength(set)
	return x.bound()
}

// pieces is how many further pieces the value of key has.
func (x *index) pieces(key string) (n int, err error) {
	p, err := x.value(indexMeta + key)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err == nil && len(p) > 0 {
		n = min(int(p[0]), maxPieces-1)
	}
	return n, err
}

// metaValue is the value of key, put together. Errors: as value.
func (x *index) metaValue(key string) ([]byte, error) {
	p, err := x.value(indexMeta + key)
	if err != nil {
		return nil, err
	}
	if len(p) > 0 && p[0] > 0 {
		x.mu.Lock()
		defer x.mu.Unlock()
		p, err = x.joined(key)
	}
	if err == nil && len(p) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return p[1:], nil
}

// joined is the first entry of key with all pieces behind. It needs mu.
func (x *index) joined(key string) (p []byte, err error) {
	err = x.view(func(t *badger.Txn) error {
		if p, err = valueOf(t, indexMeta+key); err != nil || len(p) == 0 {
			return err
		}
		for i := range min(int(p[0]), maxPieces-1) {
			more, err := valueOf(t, pieceKey(key, i))
			if err != nil {
				return err
			}
			p = append(p, more...)
		}
		return nil
	})
	return p, err
}
