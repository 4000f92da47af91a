package seed

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

func TestNewIndexRefuses(t *testing.T) {
	good := newTarget(randomBytes(1, 5000), 512, checksum.MD4, benchLengths[1])
	tests := map[string]func(h *format.Header, records []byte) []byte{
		"short records": func(_ *format.Header, r []byte) []byte { return r[:len(r)-1] },
		"block size":    func(h *format.Header, r []byte) []byte { h.BlockSize = 513; return r },
		"length":        func(h *format.Header, r []byte) []byte { h.Length = -1; return r },
		"seq":           func(h *format.Header, r []byte) []byte { h.SeqMatches = 3; return r },
		"rsum":          func(h *format.Header, r []byte) []byte { h.RsumLength = 0; return r },
		"strong":        func(h *format.Header, r []byte) []byte { h.StrongLength = 17; return r },
		"algorithm":     func(h *format.Header, r []byte) []byte { h.Strong = 9; return r },
		"blocks":        func(h *format.Header, r []byte) []byte { h.Length = format.MaxLength; return r },
	}
	for name, change := range tests {
		h := *good.header
		if _, err := NewIndex(&h, change(&h, good.records)); !errors.Is(err, ErrRecords) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestIndexMemory: the index of 5 GiB in 4096-byte blocks takes at most 25 bytes for
// each block.
func TestIndexMemory(t *testing.T) {
	for _, l := range benchLengths {
		tg := randomRecords(5<<30, 4096, l)
		before := heap()
		x := tg.index(t)
		used := heap() - before
		if per := float64(used) / float64(x.count); per > 25 {
			t.Errorf("%s: %.1f bytes for each block", l, per)
		} else {
			t.Logf("%s: %.1f bytes for each block", l, per)
		}
		runtime.KeepAlive(x)
	}
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestLookupFindsEach: each block is found by its key, also among many of equal key.
func TestLookupFindsEach(t *testing.T) {
	for name, tg := range map[string]target{
		"different": randomRecords(3000*512, 512, format.Lengths{SeqMatches: 2, Rsum: 4, Strong: 3}),
		"one byte":  randomRecords(3000*512, 512, format.Lengths{SeqMatches: 2, Rsum: 1, Strong: 3}),
		"equal":     newTarget(constant(7, 3000*512), 512, checksum.MD4, format.Lengths{SeqMatches: 2, Rsum: 2, Strong: 4}),
	} {
		x := tg.index(t)
		for id := range x.count {
			lo, hi := x.class(id)
			if !holds(x.single.ids[lo:hi], id) {
				t.Fatalf("%s: block %d is not in its class", name, id)
			}
			if id == x.count-1 {
				break
			}
			lo, hi = x.pair.lookup(x.pairKey(id), x.pairKey)
			if lo, hi = x.narrow(x.pair, lo, hi, x.strongOf(id), 0); lo < hi {
				lo, hi = x.narrow(x.pair, lo, hi, x.strongOf(id+1), 1)
			}
			if !holds(x.pair.ids[lo:hi], id) {
				t.Fatalf("%s: the pair at %d is not found", name, id)
			}
		}
	}
}

func holds(ids []uint32, id int) bool {
	for _, other := range ids {
		if int(other) == id {
			return true
		}
	}
	return false
}

// TestGolden finds the targets of real control files in themselves, and in
// themselves one byte further on.
func TestGolden(t *testing.T) {
	const folder = "../../format/testdata/golden"
	text, err := os.ReadFile(filepath.Join(folder, "text.dat"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "text.*.zsync"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		h, err := format.ReadHeader(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			t.Fatal(err)
		}
		if h.Length != int64(len(text)) {
			t.Logf("%s is of another target", filepath.Base(file))
			continue
		}
		tg := target{header: h, records: raw[h.Size:], data: text}
		for _, before := range []string{"", "x", strings.Repeat("long", 3000)} {
			missing := NewMissing(h.Geometry().BlockCount())
			out, _ := scanBytes(t, tg, missing, append([]byte(before), text...), Options{})
			if missing.Count() != 0 || !bytes.Equal(out.content, text) {
				t.Errorf("%s, %d bytes before: %d blocks are missing", filepath.Base(file), len(before), missing.Count())
			}
		}
	}
}
