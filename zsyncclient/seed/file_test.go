package seed

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// compressed is data as gzip members of at most size bytes each.
func compressed(t *testing.T, data []byte, size int) []byte {
	t.Helper()
	var out bytes.Buffer
	for part := range sliceUp(data, size) {
		z := gzip.NewWriter(&out)
		if _, err := z.Write(part); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func sliceUp(data []byte, size int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(data) > 0 {
			n := min(size, len(data))
			if !yield(data[:n]) {
				return
			}
			data = data[n:]
		}
	}
}

func TestScanFile(t *testing.T) {
	text := bytes.Repeat([]byte("what is repeated compresses, "), 20000)
	text = append(text, randomBytes(1, 500000)...)
	zipped := compressed(t, text, 300000)
	l := format.Lengths{SeqMatches: 2, Rsum: 4, Strong: 8}
	plain, packed := newTarget(text, 1024, checksum.MD4, l), newTarget(zipped, 1024, checksum.MD4, l)
	tests := []struct {
		name       string
		target     target
		targetName string
		seed       []byte
		found      float64 // at least this part of the target
		broken     bool
	}{
		{"plain", plain, "t", text, 1, false},
		{"compressed", plain, "t", zipped, 1, false},
		{"compressed, no name", plain, "", zipped, 1, false},
		{"both compressed", packed, "t.gz", zipped, 1, false},
		{"both compressed, tgz", packed, "T.TGZ", zipped, 1, false},
		{"the target's name does not say so", packed, "t", zipped, 1, false},
		{"the target's name says so wrongly", plain, "t.gz", zipped, 0, false},
		{"broken in the middle", plain, "t", zipped[:len(zipped)-1000], 0.9, true},
		{"garbage behind", plain, "t", append(bytes.Clone(zipped), "garbage"...), 1, false},
		{"only the first bytes", plain, "t", []byte{0x1f, 0x8b}, 0, true},
		{"not gzip after all", newTarget(append([]byte{0x1f, 0x8b}, text...), 1024, checksum.MD4, l), "t", append([]byte{0x1f, 0x8b}, text...), 1, true},
		{"empty", plain, "t", nil, 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "seed")
			if err := os.WriteFile(path, test.seed, 0o600); err != nil {
				t.Fatal(err)
			}
			missing := NewMissing(test.target.header.Geometry().BlockCount())
			out := newSink(test.target, nil)
			stats, err := test.target.index(t).ScanFile(context.Background(), path, test.targetName, missing, out.deliver, Options{})
			if err != nil {
				t.Fatal(err)
			}
			out.check(t, stats, missing)
			if part := float64(stats.Found) / float64(test.target.header.Length); part < test.found {
				t.Errorf("found %v, want %v", part, test.found)
			}
			if missing.Count() > 0 && (stats.Broken != nil) != test.broken {
				t.Errorf("broken: %v", stats.Broken)
			}
		})
	}
}

// TestScanFilePlaces: places are those in the file itself; what was decompressed has
// none.
func TestScanFilePlaces(t *testing.T) {
	text := randomBytes(1, 50000)
	tg := newTarget(text, 1024, checksum.MD4, format.Lengths{SeqMatches: 2, Rsum: 4, Strong: 8})
	zipped := compressed(t, text, 30000)
	behind := append(bytes.Clone(zipped), text...)
	for name, test := range map[string]struct {
		seed            []byte
		places, nowhere bool
	}{
		"plain":      {text, true, false},
		"compressed": {zipped, false, true},
		"both":       {behind, false, true},
		"cut":        {append(bytes.Clone(zipped[:20000]), text...), true, true},
	} {
		path := filepath.Join(t.TempDir(), "seed")
		if err := os.WriteFile(path, test.seed, 0o600); err != nil {
			t.Fatal(err)
		}
		file, places, none := newSink(tg, test.seed), false, false
		_, err := tg.index(t).ScanFile(context.Background(), path, "t", NewMissing(tg.header.Geometry().BlockCount()),
			func(first format.BlockID, data []byte, at int64) error {
				if at == nowhere {
					none = true
					return nil
				}
				places = true
				return file.deliver(first, data, at)
			}, Options{Workers: 1})
		if err != nil || len(file.faults) > 0 || places != test.places || none != test.nowhere {
			t.Errorf("%s: %v, %v, places %v, none %v", name, err, file.faults, places, none)
		}
	}
}

func TestScanFileRefuses(t *testing.T) {
	tg := newTarget(randomBytes(1, 5000), 512, checksum.MD4, benchLengths[0])
	scan := func(path string) error {
		_, err := tg.index(t).ScanFile(context.Background(), path, "", NewMissing(10), newSink(tg, nil).deliver, Options{})
		return err
	}
	var irregular *NotRegularError
	if err := scan(t.TempDir()); !errors.As(err, &irregular) || irregular.Mode&fs.ModeDir == 0 {
		t.Errorf("folder: %v", err)
	}
	if err := scan(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// shortReader ends before it said it would.
type shortReader struct{ io.ReaderAt }

func (shortReader) ReadAt(p []byte, off int64) (int, error) { return len(p) / 2, io.EOF }

func TestScanErrors(t *testing.T) {
	data := randomBytes(1, 100000)
	tg := newTarget(data, 512, checksum.MD4, benchLengths[0])
	x := tg.index(t)
	count := tg.header.Geometry().BlockCount()
	ctx := context.Background()
	if _, err := x.Scan(ctx, shortReader{}, 5000, NewMissing(count), newSink(tg, nil).deliver, Options{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short seed: %v", err)
	}
	full := errors.New("disk full")
	missing := NewMissing(count)
	refuse := func(format.BlockID, []byte, int64) error { return full }
	if _, err := x.Scan(ctx, bytes.NewReader(data), int64(len(data)), missing, refuse, Options{}); err != full {
		t.Errorf("deliver: %v", err)
	}
	if missing.Count() != count {
		t.Errorf("%d of %d blocks are missing after a failed delivery", missing.Count(), count)
	}
	broken := io.MultiReader(bytes.NewReader(data[:50000]), failing{full})
	out := newSink(tg, nil)
	if stats, err := x.ScanReader(ctx, broken, missing, out.deliver, Options{}); err != full || stats.Found < 49000 {
		t.Errorf("reader: %+v, %v", stats, err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := x.Scan(ended, bytes.NewReader(data), int64(len(data)), missing, out.deliver, Options{}); err != context.Canceled {
		t.Errorf("context: %v", err)
	}
	if _, err := x.ScanReader(ended, bytes.NewReader(data), missing, out.deliver, Options{}); err != context.Canceled {
		t.Errorf("context: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestProgress(t *testing.T) {
	tg := newTarget(randomBytes(1, 5000), 512, checksum.MD4, benchLengths[0])
	var last int64
	o := Options{Workers: 1, Progress: func(n int64) { last = n }}
	_, stats := scanBytes(t, tg, NewMissing(10), randomBytes(2, 9<<20), o)
	if last != 9<<20 || stats.Scanned != last {
		t.Errorf("progress %d, scanned %d", last, stats.Scanned)
	}
}

// TestNothingMissing: a seed is not read when nothing is missing.
func TestNothingMissing(t *testing.T) {
	tg := newTarget(make([]byte, 5000), 512, checksum.MD4, benchLengths[0])
	missing := NewMissing(tg.header.Geometry().BlockCount())
	out := newSink(tg, nil)
	// The target is zeros only: no seed is needed.
	stats, err := tg.index(t).Scan(context.Background(), shortReader{}, 1000, missing, out.deliver, Options{})
	if err != nil || stats != (Stats{Found: 5000}) {
		t.Errorf("%+v, %v", stats, err)
	}
	out.check(t, stats, missing)
}

// TestShrinkingSeed: what was found before a seed became shorter counts.
func TestShrinkingSeed(t *testing.T) {
	data := randomBytes(5, 4<<20)
	tg := newTarget(data, 4096, checksum.MD4, format.Lengths{SeqMatches: 1, Rsum: 4, Strong: 16})
	path := filepath.Join(t.TempDir(), "seed")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	missing, s := NewMissing(tg.header.Geometry().BlockCount()), newSink(tg, nil)
	stats, err := tg.index(t).ScanFile(context.Background(), path, "t", missing, s.deliver, Options{
		Workers: 1, slice: 1 << 20,
		Progress: func(int64) {
			if err := os.Truncate(path, 1000); err != nil {
				t.Error(err)
			}
		},
	})
	if err != nil || stats.Broken == nil {
		t.Errorf("%+v, %v", stats, err)
	}
	if got := missing.Count(); got == 0 || got == tg.header.Geometry().BlockCount() {
		t.Errorf("%d blocks are missing", got)
	}
}
