package readcheck

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Pair is a file under test and the original that it must equal.
type Pair struct{ Got, Want string }

// Check is one way to compare a pair. The error says where they differ.
type Check struct {
	Name string
	Run  func(Pair) error
}

// All are the checks, in the order that leaves most to fetch for each.
var All = []Check{
	{"random", Random},
	{"end", AcrossEnd},
	{"parallel", Parallel},
	{"direct", Direct},
	{"mmap", Mmap},
	{"cp", Copy},
}

// files opens both files.
func (p Pair) files() (got, want *os.File, length int64, err error) {
	if want, err = os.Open(p.Want); err != nil {
		return nil, nil, 0, err
	}
	if got, err = os.Open(p.Got); err != nil {
		want.Close()
		return nil, nil, 0, err
	}
	gs, err1 := got.Stat()
	ws, err2 := want.Stat()
	err = errors.Join(err1, err2)
	if err == nil && gs.Size() != ws.Size() {
		err = fmt.Errorf("%s has %d bytes, want %d", p.Got, gs.Size(), ws.Size())
	}
	if err != nil {
		got.Close()
		want.Close()
		return nil, nil, 0, err
	}
	return got, want, ws.Size(), nil
}

// same reads both at off and compares bytes, count and error.
func same(got, want io.ReaderAt, off int64, n int) error {
	g, w := make([]byte, n), make([]byte, n)
	gn, gerr := got.ReadAt(g, off)
	wn, werr := want.ReadAt(w, off)
	if err := equal(g[:min(gn, wn)], w[:min(gn, wn)], off); err != nil {
		return err // worse than too few
	}
	if gn != wn || gerr != werr {
		return fmt.Errorf("read %d bytes at %d: got %d bytes, %v; want %d, %v", n, off, gn, gerr, wn, werr)
	}
	return nil
}

// ErrWrong: a read succeeded, and its bytes are not those of the original.
var ErrWrong = errors.New("wrong bytes")

// equal compares bytes that were read at off.
func equal(got, want []byte, off int64) error {
	if bytes.Equal(got, want) {
		return nil
	}
	for i := range want {
		if got[i] != want[i] {
			end := min(i+16, len(want))
			return fmt.Errorf("%w: bytes from %d on are %x, want %x", ErrWrong, off+int64(i), got[i:end], want[i:end])
		}
	}
	return nil
}

// DropPages makes the kernel forget what it holds of the file's content, so
// that the next read asks the daemon again.
func DropPages(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// Random reads at 100 odd places and lengths up to 100,000 bytes.
func Random(p Pair) error {
	got, want, length, err := p.files()
	if err != nil {
		return err
	}
	defer got.Close()
	defer want.Close()
	r := rand.New(rand.NewPCG(1, uint64(length)))
	for range 100 {
		off := r.Int64N(length+1) | 1
		if err := same(got, want, off, 1+r.IntN(1<<r.IntN(17))); err != nil {
			return err
		}
	}
	return nil
}

// AcrossEnd reads what ends at, begins before and lies behind the end.
func AcrossEnd(p Pair) error {
	got, want, length, err := p.files()
	if err != nil {
		return err
	}
	defer got.Close()
	defer want.Close()
	for _, back := range []int64{length, 8193, 4096, 100, 1, 0, -1, -5000} {
		if off := length - back; off >= 0 {
			if err := same(got, want, off, int(min(max(back, 0), 1<<20))+10_000); err != nil {
				return err
			}
		}
	}
	return nil
}

// Parallel has four readers go over the whole file at once: two in the same
// order, one in pieces from the back, one with a file of its own.
func Parallel(p Pair) error {
	got, want, length, err := p.files()
	if err != nil {
		return err
	}
	defer got.Close()
	defer want.Close()
	const step = 200_001
	forward := func(f io.ReaderAt) error {
		for off := int64(0); off < length; off += step {
			if err := same(f, want, off, step); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, 4)
	var wg sync.WaitGroup
	wg.Go(func() { errs[0] = forward(got) })
	wg.Go(func() { errs[1] = forward(got) })
	wg.Go(func() {
		for off := length / step * step; off >= 0 && errs[2] == nil; off -= step {
			errs[2] = same(got, want, off, step)
		}
	})
	wg.Go(func() {
		own, err := os.Open(p.Got)
		if err != nil {
			errs[3] = err
			return
		}
		defer own.Close()
		errs[3] = forward(own)
	})
	wg.Wait()
	return errors.Join(errs...)
}

// Aligned is a slice of n bytes at an address that O_DIRECT accepts.
func Aligned(n int) []byte {
	b := make([]byte, n+4096)
	skip := -int(uintptr(unsafe.Pointer(&b[0]))) & 4095
	return b[skip : skip+n : skip+n]
}

// DirectAt reads n bytes at off with O_DIRECT, so that neither the kernel's
// cache nor its readahead has a part in it. Both are multiples of 4096.
func DirectAt(path string, off int64, n int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECT, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := Aligned(n)
	read, err := f.ReadAt(b, off)
	if err == io.EOF {
		err = nil
	}
	return b[:read], err
}

// Direct reads the whole file with O_DIRECT.
func Direct(p Pair) error {
	got, want, length, err := p.files()
	if err != nil {
		return err
	}
	defer got.Close()
	defer want.Close()
	direct, err := os.OpenFile(p.Got, os.O_RDONLY|syscall.O_DIRECT, 0)
	if err != nil {
		return fmt.Errorf("open with O_DIRECT: %w", err)
	}
	defer direct.Close()
	g, w := Aligned(256<<10), make([]byte, 256<<10)
	for off := int64(0); off < length; off += int64(len(g)) {
		n := int(min(int64(len(g)), length-off))
		if gn, err := direct.ReadAt(g, off); gn != n || (err != nil && err != io.EOF) {
			return fmt.Errorf("read with O_DIRECT at %d: %d bytes, %w", off, gn, err)
		}
		if _, err := want.ReadAt(w[:n], off); err != nil {
			return err
		}
		if err := equal(g[:n], w[:n], off); err != nil {
			return fmt.Errorf("read with O_DIRECT: %w", err)
		}
	}
	return nil
}

// Copy has cp copy the file and compares the copy.
func Copy(p Pair) error {
	dir, err := os.MkdirTemp("", "readcheck-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	copied := filepath.Join(dir, "copy")
	if out, err := exec.Command("cp", "--", p.Got, copied).CombinedOutput(); err != nil {
		return fmt.Errorf("cp: %w: %s", err, out)
	}
	return Whole(Pair{copied, p.Want})
}

// Whole reads both from front to back.
func Whole(p Pair) error {
	got, want, length, err := p.files()
	if err != nil {
		return err
	}
	defer got.Close()
	defer want.Close()
	for off := int64(0); off < length; off += 1 << 20 {
		if err := same(got, want, off, 1<<20); err != nil {
			return err
		}
	}
	return nil
}
