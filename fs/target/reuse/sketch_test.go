package reuse

import (
	"bytes"
	"slices"
	"testing"
)

// FuzzSketch reads what the store says are sketches.
func FuzzSketch(f *testing.F) {
	f.Add(encodeSketch([]uint64{1, 5, 1 << 63}))
	f.Add(encodeSketch([]uint64{5, 5}))
	f.Add(encodeSketch([]uint64{5, 4}))
	f.Add(encodeSketch(make([]uint64, sketchLength+1)))
	f.Add([]byte("1234567"))
	f.Fuzz(func(t *testing.T, p []byte) {
		hashes := decodeSketch(p)
		if len(hashes) > sketchLength || !slices.Equal(smallest(slices.Clone(hashes)), hashes) {
			t.Errorf("no sketch: %x", hashes)
		}
		if len(hashes) > 0 && !bytes.Equal(encodeSketch(hashes), p) {
			t.Error("not the same again")
		}
		if n := alikeness(hashes, []uint64{1, 5, 9}); n > min(3, len(hashes)) {
			t.Errorf("%d of %d", n, len(hashes))
		}
	})
}
