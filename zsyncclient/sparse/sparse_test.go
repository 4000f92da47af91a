package sparse

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestNext: every byte outside of the extents is zero, extents ascend, and end at
// the size.
func TestNext(t *testing.T) {
	const size = 8 << 20
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	want := make([]byte, size)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		off, n := rng.IntN(size-10_000), rng.IntN(10_000)
		copy(want[off:], bytes.Repeat([]byte{7}, n))
		if _, err := f.WriteAt(want[off:off+n], int64(off)); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]byte, size)
	last := int64(0)
	for off := int64(0); ; {
		start, end := Next(f, off, size)
		if start < off || end < start || end > size {
			t.Fatalf("Next(%d) = %d, %d", off, start, end)
		}
		if start == size {
			break
		}
		if end == start {
			t.Fatalf("Next(%d) is empty at %d", off, start)
		}
		if start > 0 && !Empty(f, last, start, size) && last < start {
			t.Errorf("[%d, %d) is not empty", last, start)
		}
		copy(got[start:end], want[start:end])
		off, last = end, end
	}
	if !bytes.Equal(got, want) {
		t.Error("there is data outside of the extents")
	}
	if start, end := Next(f, size, size); start != size || end != size {
		t.Errorf("at the end: %d, %d", start, end)
	}
}

func TestNotAFile(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if start, end := Next(r, 3, 10); start != 3 || end != 10 {
		t.Errorf("a pipe: %d, %d", start, end)
	}
}
