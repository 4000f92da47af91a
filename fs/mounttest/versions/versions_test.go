package versions

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

func TestMain(m *testing.M) {
	RunChild()
	os.Exit(m.Run())
}

func TestIdentify(t *testing.T) {
	for _, v := range []int{1, 2, 3, 999, 4095, maxVersion} {
		p := Content(v)
		for _, off := range []int{0, 1, 7, 8, 4096, len(p) - 20} {
			if got, err := Identify(p[off:], int64(off)); got != v || err != nil {
				t.Errorf("version %d from %d on: %d, %v", v, off, got, err)
			}
		}
		if _, err := Identify(append(p[:4000:4000], Content(v + 1)[4000:]...), 0); err == nil {
			t.Errorf("a mixture of %d and the next is not seen", v)
		}
		if _, err := Identify(make([]byte, 100), 0); err == nil {
			t.Error("zeros are taken for a version")
		}
	}
	seen := map[int64]bool{}
	for v := 0; v < 2000; v += 2 {
		if Length(v) != Length(v+1) || seen[Length(v)] {
			t.Errorf("the length of version %d is not that of the next, or another's too", v)
		}
		seen[Length(v)] = true
	}
}

func TestPublisher(t *testing.T) {
	dir, staging := t.TempDir(), t.TempDir()
	p := NewPublisher(dir, staging, "x")
	for v, targetFirst := range []bool{1: true, 2: false} {
		if v == 0 {
			continue
		}
		gone := false
		if err := p.Publish(v, targetFirst, func() { gone = p.Gone(v - 1) }); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "x")); err != nil || !bytes.Equal(got, Content(v)) {
			t.Errorf("the artifact: %v", err)
		}
		f, err := os.Open(filepath.Join(dir, "x.zsync"))
		if err != nil {
			t.Fatal(err)
		}
		h, err := format.ReadHeader(bufio.NewReader(f))
		f.Close()
		if err != nil || h.Length != Length(v) {
			t.Errorf("the control file: %v", err)
		}
		if !gone || p.Gone(v) {
			t.Errorf("Gone is wrong at version %d", v)
		}
	}
}

// TestReaders: what they say of files on a disk.
func TestReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	for _, kind := range []Kind{Pread, Mmap, Held} {
		mixed := append(Content(5)[:9000], Content(4)[9000:]...)
		for want, content := range map[Outcome][]byte{Whole: Content(4), Wrong: mixed, Other: nil} {
			os.Remove(path)
			if content != nil {
				if err := os.WriteFile(path, content, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			first := make(chan Reading, 1)
			stop := Start(t, path, kind, func(_ Kind, r Reading) {
				select {
				case first <- r:
				default:
				}
			})
			select {
			case r := <-first:
				if r.Outcome != want || want == Whole && r.Version != 4 {
					t.Errorf("%s: %+v, want %s", kind, r, want)
				}
			case <-time.After(time.Minute):
				t.Errorf("%s says nothing", kind)
			}
			stop()
		}
	}
}
