package mounttest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

var buildMaker = sync.OnceValues(func() (string, error) { return daemon.BuildOther(base, "zsyncmake") })

// makersOfPacked run a test with "zsyncmake -z" of ours and of 0.6.2.
func makersOfPacked(t *testing.T, test func(t *testing.T, program string, ours bool)) {
	t.Parallel()
	needMount(t)
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		program, err := buildMaker()
		must(t, err)
		test(t, program, true)
	})
	t.Run("0.6.2", func(t *testing.T) {
		t.Parallel()
		test(t, "", false)
	})
}

// prose is n bytes that compress to about a fourth.
func prose(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, seed))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "%x is line %d of what is compressed here\n", r.Uint64(), r.IntN(1000))
	}
	return b.Bytes()[:n]
}

// publishPacked puts data into dir as name.gz only, with the control file; the data
// themselves go to plain.
func publishPacked(t *testing.T, program, dir, plain, name string, data []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.WriteFile(path, data, 0o644))
	must(t, fixture.ZsyncmakeCompressed(program, path))
	must(t, os.Rename(path, filepath.Join(plain, name)))
}

// TestPackedAtRandom: a compressed artifact that is nowhere uncompressed reads right
// anywhere, and one of ours for no more than 192 KiB of each stretch between two
// points that need nothing before them.
func TestPackedAtRandom(t *testing.T) {
	makersOfPacked(t, func(t *testing.T, program string, ours bool) {
		dir, plain := folder(t), folder(t)
		data := prose(24<<20, 3)
		publishPacked(t, program, dir, plain, "disk.img", data)
		s := serve(t, dir)
		m := mount(t, s.URL("/"))
		f, err := os.Open(m.Path("disk.img"))
		must(t, err)
		defer f.Close()
		r := rand.New(rand.NewPCG(8, 8))
		const stretch = 128 << 10
		touched := map[int64]bool{}
		buf := make([]byte, 4096)
		for range 300 {
			off := r.Int64N(int64(len(data)-4096)) &^ 4095
			if _, err := f.ReadAt(buf, off); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(buf, data[off:off+4096]) {
				t.Fatalf("wrong bytes at %d", off)
			}
			touched[off/stretch] = true
		}
		info, err := os.Stat(filepath.Join(dir, "disk.img.gz"))
		must(t, err)
		sent := contentOf(t, s, "disk.img.gz")
		if most := int64(len(touched)) * (192 << 10); ours && sent > most {
			t.Errorf("%d bytes for %d stretches", sent, len(touched))
		}
		if sent > info.Size()*3/2 {
			t.Errorf("%d bytes of a file of %d", sent, info.Size())
		}
		must(t, readcheck.Whole(pairOf(m, plain, "disk.img")))
		must(t, readcheck.Random(pairOf(m, plain, "disk.img")))
	})
}

// TestPackedNextVersion: with a version in the store, the next one costs what is new
// in it, compressed.
func TestPackedNextVersion(t *testing.T) {
	makersOfPacked(t, func(t *testing.T, program string, _ bool) {
		dir, plain := folder(t), folder(t)
		one := prose(8<<20, 4)
		two := updated(one, 9)
		publishPacked(t, program, dir, plain, "disk-1.img", one)
		publishPacked(t, program, dir, plain, "disk-2.img", two)
		s := serve(t, dir)
		m := mount(t, s.URL("/"))
		must(t, readcheck.Whole(pairOf(m, plain, "disk-1.img")))
		must(t, readcheck.Whole(pairOf(m, plain, "disk-2.img")))
		if n := contentOf(t, s, "disk-2.img.gz"); n == 0 || n > 100_000 {
			t.Errorf("%d bytes of the second version", n)
		}
		if n := contentOf(t, s, "disk-2.img"); n > 2000 {
			t.Errorf("%d bytes of an uncompressed file that is not there", n)
		}
	})
}

// TestPackedAndPlain: where the uncompressed file is there as well, what is small and
// far inside of a copy without restarts comes from it.
func TestPackedAndPlain(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	data := prose(8<<20, 5)
	publishPacked(t, "", dir, dir, "disk.img", data)
	s := serve(t, dir)
	m := mount(t, s.URL("/"))
	f, err := os.Open(m.Path("disk.img"))
	must(t, err)
	defer f.Close()
	buf := make([]byte, 4096)
	_, err = f.ReadAt(buf, 7<<20)
	must(t, err)
	if !bytes.Equal(buf, data[7<<20:7<<20+4096]) {
		t.Error("wrong bytes")
	}
	if n := contentOf(t, s, "disk.img.gz"); n != 0 {
		t.Errorf("%d bytes of the copy", n)
	}
	must(t, readcheck.Whole(pairOf(m, dir, "disk.img")))
	if n := contentOf(t, s, "disk.img.gz"); n == 0 {
		t.Error("nothing of the copy")
	}
}

// TestGzipAsItIs: a .gz whose control file describes it as it is, is shown so.
func TestGzipAsItIs(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, plain := folder(t), folder(t)
	publishPacked(t, "", dir, plain, "data", prose(1<<20, 6))
	must(t, os.Remove(filepath.Join(dir, "data.zsync")))
	must(t, fixture.Zsyncmake(filepath.Join(dir, "data.gz")))
	s := serve(t, dir)
	m := mount(t, s.URL("/"))
	must(t, readcheck.Whole(pairOf(m, dir, "data.gz")))
}
