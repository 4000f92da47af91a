package versions

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// Kind is a way to read.
type Kind string

// The kinds of readers.
const (
	// Pread opens the file and reads pieces of odd lengths to the end.
	Pread Kind = "pread"
	// Mmap maps it and looks at its pages in any order, and once more later.
	Mmap Kind = "mmap"
	// Held keeps it open over many replacements, reads it slowly, and reads all
	// of it again, without the kernel's pages.
	Held Kind = "held"
)

// pause is how long readers that keep a version wait between two looks.
const pause = 15 * time.Millisecond

// readers read what is open from front to end; what they did not read is nil.
var readers = map[Kind]func(f *os.File, length int64) error{
	Pread: func(f *os.File, length int64) error { return pieces(f, length, 60_000, 0) },
	Mmap:  mapped,
	Held:  held,
}

// mixedError says that bytes were wrong: the worst that can happen.
type mixedError struct{ error }

// lostError is an error for blocks that had been read before.
type lostError struct{ error }

func (e lostError) Unwrap() error { return e.error }

// pieces reads all of f in pieces of at most most bytes, and waits after each.
func pieces(f *os.File, length int64, most int, wait time.Duration) error {
	whole := make([]byte, 0, length)
	for {
		// Not more than is missing: ReadAt would read on at the end.
		p := make([]byte, min(1+rand.IntN(most), int(length)-len(whole)+1))
		n, err := unix.Pread(int(f.Fd()), p, int64(len(whole)))
		if err != nil {
			return fmt.Errorf("read at %d: %w", len(whole), err)
		}
		whole = append(whole, p[:n]...)
		if n == 0 {
			return check(whole, length)
		}
		time.Sleep(wait)
	}
}

// check says whether whole is one version, as long as stat said.
func check(whole []byte, length int64) error {
	version, err := Identify(whole, 0)
	switch {
	case err != nil:
		return mixedError{err}
	case int64(len(whole)) != length || length != Length(version):
		return mixedError{fmt.Errorf("%d bytes of version %d, which has %d; stat said %d", len(whole), version, Length(version), length)}
	case !bytes.Equal(whole, Content(version)):
		return mixedError{fmt.Errorf("the end of version %d is wrong", version)}
	}
	return nil
}

func held(f *os.File, length int64) error {
	if err := pieces(f, length, int(length/4), pause/3); err != nil {
		return err
	}
	for range 3 {
		if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
			return err
		}
		if err := pieces(f, length, int(length), pause); err != nil {
			return lost(err)
		}
	}
	return nil
}

// lost marks an error of reading what was read before.
func lost(err error) error {
	if mixed := (mixedError{}); err == nil || errors.As(err, &mixed) {
		return err
	}
	return lostError{err}
}

func mapped(f *os.File, length int64) error {
	m, err := unix.Mmap(int(f.Fd()), 0, int(length), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	defer unix.Munmap(m)
	whole := make([]byte, length)
	const page = 4096
	for _, i := range rand.Perm(int((length + page - 1) / page)) {
		end := min((i+1)*page, int(length))
		if err := touch(f, whole[i*page:end], m[i*page:end], int64(i*page)); err != nil {
			return err
		}
	}
	if err := check(whole, length); err != nil {
		return err
	}
	time.Sleep(pause)
	if err := touch(f, whole, m, 0); err != nil {
		return lost(err)
	}
	return check(whole, length)
}

// touch copies mapped bytes. Where the kernel has no page for them it raises
// SIGBUS; what was the matter a plain read can tell.
func touch(f *os.File, dst, src []byte, off int64) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			_, err = unix.Pread(int(f.Fd()), dst, off)
			err = fmt.Errorf("page at %d: %v: %w", off, fault, errors.Join(err, io.ErrUnexpectedEOF))
		}
	}()
	copy(dst, src)
	return nil
}
