package packing

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/inflate"
)

// pack is data as a gzip file, and its map.
func pack(t testing.TB, data []byte, o Options) (packed, raw []byte) {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for rest := data; len(rest) > 0; {
		n := min(len(rest), 100_001)
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if raw, err = w.Finish(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), raw
}

// text is n bytes that can be compressed, half of them hardly.
func text(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	var b bytes.Buffer
	for b.Len() < n {
		if r.IntN(4) == 0 {
			for range r.IntN(9000) {
				b.WriteByte(byte(r.Uint32()))
			}
			continue
		}
		for range r.IntN(2000) {
			fmt.Fprintf(&b, "%x the line of number %d\n", r.IntN(1000), r.IntN(50))
		}
	}
	return b.Bytes()[:n]
}

func noise(n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(data)
	return data
}

// What is packed is a gzip file with that content, and its map is the one that
// decoding finds, but for points within blocks. Each restart needs no history.
func TestWriter(t *testing.T) {
	for _, block := range []int64{512, 2048, 4096, 8192, 1 << 20} {
		for name, data := range map[string][]byte{
			"empty": nil, "one": {7}, "text": text(700_000), "noise": noise(500_000), "zeros": make([]byte, 600_000),
			"one stretch": text(64 << 10), "one block": text(int(block)), "two stretches": text(128 << 10),
		} {
			what := fmt.Sprintf("%s in blocks of %d", name, block)
			packed, raw := pack(t, data, Options{BlockSize: block, Restart: 64 << 10})
			z, err := gzip.NewReader(bytes.NewReader(packed))
			if err != nil {
				t.Fatal(what, err)
			}
			if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: %v, %d bytes of %d", what, err, len(got), len(data))
			}
			r := bufio.NewReader(bytes.NewReader(packed))
			h, err := format.ReadGzipHeader(r)
			if err != nil {
				t.Fatal(what, err)
			}
			traced, _, err := format.MapGzip(h, r, maxBlock, io.Discard)
			if err != nil || !bytes.Equal(traced, raw) {
				t.Errorf("%s: %v, not the map that decoding finds", what, err)
			}
			if len(data) == 0 {
				continue // a map of it can be read by nobody
			}
			checkRestarts(t, what, packed, raw, data, max(block, 64<<10))
		}
	}
}

func checkRestarts(t *testing.T, what string, packed, raw, data []byte, every int64) {
	t.Helper()
	m, err := format.NewZMap(raw, int64(len(data)))
	if err != nil {
		t.Fatal(what, err)
	}
	restarts := 0
	var before format.ZPoint
	for i, p := range m.From(0) {
		if i > 0 && p.Out-before.Out > maxBlock {
			t.Errorf("%s: %d bytes up to point %d", what, p.Out-before.Out, i)
		}
		before = p
		if i >= m.Len()-2 || !m.Restart(i) {
			continue
		}
		if p.Out != int64(restarts)*every {
			t.Errorf("%s: restart %d is at byte %d", what, restarts, p.Out)
		}
		restarts++
		var d inflate.Decoder
		if err := d.Start(bytes.NewReader(packed[p.Bit/8:]), p.Bit, nil); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, min(every, int64(len(data))-p.Out))
		if _, err := io.ReadFull(&d, got); err != nil || !bytes.Equal(got, data[p.Out:][:len(got)]) {
			t.Errorf("%s: from byte %d: %v", what, p.Out, err)
		}
	}
	if want := (int64(len(data)) + every - 1) / every; int64(restarts) != want {
		t.Errorf("%s: %d restarts, want %d", what, restarts, want)
	}
}

// The header has the time when it can, and no name.
func TestHeader(t *testing.T) {
	for _, tt := range []struct {
		mtime time.Time
		want  []byte
	}{
		{time.Time{}, []byte{0, 0, 0, 0}},
		{time.Unix(0x04030201, 5), []byte{1, 2, 3, 4}},
		{time.Unix(-5, 0), []byte{0, 0, 0, 0}},
		{time.Unix(1<<32, 0), []byte{0, 0, 0, 0}},
	} {
		packed, _ := pack(t, nil, Options{BlockSize: 2048, MTime: tt.mtime})
		want := append(append([]byte{0x1f, 0x8b, 8, 0}, tt.want...), 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		if !bytes.Equal(packed, want) {
			t.Errorf("%v: % x", tt.mtime, packed)
		}
	}
	if _, err := NewWriter(io.Discard, Options{BlockSize: 2048, Restart: 5}); err == nil {
		t.Error("restarts every 5 bytes")
	}
}

type failing struct{ left int }

var errFull = errors.New("no room")

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// A failure to write comes back soon, and Close leaves nothing running.
func TestFailure(t *testing.T) {
	data := noise(4 << 20)
	for _, room := range []int{0, 10, 500_000, 4 << 20} {
		w, err := NewWriter(&failing{room}, Options{BlockSize: 4096, Restart: 64 << 10})
		if err == nil {
			_, err = w.Write(data)
			if err == nil {
				_, err = w.Finish()
			}
			w.Close()
		}
		if !errors.Is(err, errFull) {
			t.Errorf("room for %d: %v", room, err)
		}
	}
}

// BenchmarkWriter packs the files of the folder ZSYNCFS_CORPUS, as scripts/corpus
// has them, or text.
func BenchmarkWriter(b *testing.B) {
	files := map[string][]byte{"text": text(20 << 20)}
	if dir := os.Getenv("ZSYNCFS_CORPUS"); dir != "" {
		paths, err := filepath.Glob(filepath.Join(dir, "*.tar"))
		if err != nil || len(paths) == 0 {
			b.Fatal("no *.tar in ", dir)
		}
		clear(files)
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				b.Fatal(err)
			}
			files[filepath.Base(path)] = data
		}
	}
	for name, data := range files {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			size := 0
			for b.Loop() {
				packed, _ := pack(b, data, Options{BlockSize: format.DefaultBlockSize(int64(len(data)))})
				size = len(packed)
			}
			b.ReportMetric(float64(size), "packed-B")
		})
	}
}
