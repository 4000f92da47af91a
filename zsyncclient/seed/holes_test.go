package seed

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// sparseFile has data at each of the offsets, and holes between them where the
// file system has any.
func sparseFile(t *testing.T, size int64, data []byte, offsets ...int64) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for _, off := range offsets {
		if _, err := f.WriteAt(data, off); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// Offsets before an extent are looked at as far as look-ups reach into it, also when
// the extent itself belongs to the next stretch; holes that are smaller than what a
// slice has to read beyond its offsets are no reason to cut.
func TestWorkWithoutHoles(t *testing.T) {
	const block, size = 2048, 8 << 20
	page := bytes.Repeat([]byte{7}, 4096)
	x := newTarget(page, block, checksum.MD4, format.Lengths{SeqMatches: 2, Rsum: 4, Strong: 16}).index(t)
	f := sparseFile(t, size, page, 1<<20, 1<<20+8192, 1<<20+16384, 4<<20)
	s := x.newScan(size, NewMissing(2), nil, Options{})
	if got := s.work(f, span{0, 1 << 20}, size); len(got) == 0 || got[len(got)-1].end != 1<<20 {
		t.Errorf("before the first extent: %v", got)
	}
	got := s.work(f, span{0, size}, size)
	if len(got) > 2 {
		t.Errorf("%d slices", len(got))
	}
	for _, want := range []span{{1<<20 - int64(s.reach) + 1, 1<<20 + 16384 + 4096}, {4<<20 - int64(s.reach) + 1, 4<<20 + 4096}} {
		at := want.start
		for _, part := range got {
			if part.start <= at {
				at = max(at, part.end)
			}
		}
		if at < want.end {
			t.Errorf("%v is not in %v", want, got)
		}
	}
	all := x.newScan(size, NewMissing(2), nil, Options{})
	all.work(f, span{0, size}, size)
	counted := all.scanned.Load()
	for _, part := range got {
		counted += part.end - part.start
	}
	if counted != size {
		t.Errorf("%d bytes are counted of %d", counted, size)
	}
}
