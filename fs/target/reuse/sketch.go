package reuse

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
)

const (
	// sketchLength is how many hashes a sketch has at most.
	sketchLength = 128
	// leastAlike is how many hashes two sketches must share: one may be chance, or
	// a block of padding.
	leastAlike = 2
	// sketchStrong and sketchRsum are how many bytes of a record count, so that
	// records of other lengths can be compared: what the shortest has.
	sketchStrong, sketchRsum = format.MinStrongLength, 2
)

// sketch is the sketch of a target: the smallest hashes of its records, ascending,
// each once.
func sketch(h *format.Header, records []byte) []uint64 {
	size := int(h.RecordSize())
	rsum := min(sketchRsum, h.RsumLength)
	var out []uint64
	limit := ^uint64(0)
	for ; len(records) >= size; records = records[size:] {
		var key [16]byte
		copy(key[:], records[h.RsumLength-rsum:h.RsumLength])
		copy(key[sketchRsum:], records[h.RsumLength:h.RsumLength+sketchStrong])
		key[8] = byte(h.Strong)
		binary.LittleEndian.PutUint32(key[12:], uint32(h.BlockSize))
		if sum := mix(key); sum < limit {
			if out = append(out, sum); len(out) >= 4*sketchLength {
				out = smallest(out)
				limit = out[len(out)-1]
			}
		}
	}
	return smallest(out)
}

// smallest are the smallest of hashes, in order, each once.
func smallest(hashes []uint64) []uint64 {
	slices.Sort(hashes)
	hashes = slices.Compact(hashes)
	return hashes[:min(len(hashes), sketchLength)]
}

// mix is a hash of key.
func mix(key [16]byte) uint64 {
	h := fnv.New64a()
	h.Write(key[:])
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// alikeness is how many hashes two sketches share.
func alikeness(a, b []uint64) (n int) {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			n, a, b = n+1, a[1:], b[1:]
		}
	}
	return n
}

func encodeSketch(hashes []uint64) (out []byte) {
	for _, h := range hashes {
		out = binary.LittleEndian.AppendUint64(out, h)
	}
	return out
}

// decodeSketch is the opposite; what is none gives an empty one.
func decodeSketch(p []byte) (out []uint64) {
	if len(p)%8 != 0 || len(p) > 8*sketchLength {
		return nil
	}
	for ; len(p) > 0; p = p[8:] {
		out = append(out, binary.LittleEndian.Uint64(p))
	}
	if !slices.IsSortedFunc(out, func(a, b uint64) int { return cmp.Or(cmp.Compare(a, b), -1) }) {
		return nil // not ascending, or one twice
	}
	return out
}

// sketched are those of entries whose sketches share hashes with this version's,
// those first that share most.
func (f *Finder) sketched(entries []blockstore.Entry) (out []blockstore.Entry) {
	own := sketch(f.h, f.o.Records)
	shared := map[blockstore.Key]int{}
	err := f.o.Store.Sketches(func(key blockstore.Key, p []byte) {
		if n := alikeness(own, decodeSketch(p)); n >= leastAlike {
			shared[key] = n
		}
	})
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if shared[e.Key] > 0 {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b blockstore.Entry) int { return shared[b.Key] - shared[a.Key] })
	return out
}

// keepSketch has others find this version.
func (f *Finder) keepSketch() {
	if f.o.Store == nil || f.o.Version == nil {
		return
	}
	if err := f.o.Store.PutSketch(f.key, encodeSketch(sketch(f.h, f.o.Records))); err != nil {
		f.o.Warn(fmt.Errorf("keep the sketch: %w", err))
	}
}
