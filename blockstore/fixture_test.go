package blockstore

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// testPlace is where the tests' control files come from.
const testPlace = "http://example.org/t.zsync"

// target is a target made up by a test, with its control file.
type target struct {
	data    []byte
	raw     []byte // header
	control []byte // whole
	header  *format.Header
}

const strongLength = 16

// makeTarget makes a target of length random bytes.
func makeTarget(t testing.TB, seed uint64, length, blockSize int) *target {
	t.Helper()
	data := make([]byte, length)
	rng := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	rng.Read(data)
	return targetOf(t, seed, data, blockSize)
}

// targetOf makes a target of data.
func targetOf(t testing.TB, seed uint64, data []byte, blockSize int) *target {
	t.Helper()
	return cutTargetOf(t, seed, data, blockSize, strongLength)
}

// cutTargetOf is targetOf with strong checksums of so many bytes.
func cutTargetOf(t testing.TB, seed uint64, data []byte, blockSize, strong int) *target {
	t.Helper()
	m, length := &target{data: data}, len(data)
	m.raw = fmt.Appendf(nil, "zsync: 0.6.2\nFilename: t%d\nBlocksize: %d\nLength: %d\nHash-Lengths: 1,4,%d\nURL: t\n\n",
		seed, blockSize, length, strong)
	h, err := format.ReadHeader(bufio.NewReader(bytes.NewReader(m.raw)))
	if err != nil {
		t.Fatal(err)
	}
	m.header = h
	m.control = bytes.Clone(m.raw)
	for at := 0; at < length; at += blockSize {
		block := m.data[at:min(at+blockSize, length)]
		m.control = append(m.control, 1, 2, 3, 4)
		m.control = append(m.control, checksum.MD4.SumBlocks(nil, block, blockSize)[:strong]...)
	}
	return m
}

// blocks is the content of blocks [first, end).
func (m *target) blocks(first, end format.BlockID) []byte {
	r := m.header.Geometry().Bytes(format.BlockRange{Start: first, End: end})
	return m.data[r.Start:r.End]
}

func (m *target) count() format.BlockID { return m.header.Geometry().All().End }

func (m *target) key() Key { return HeaderKey(m.raw, m.header, testPlace) }

func (m *target) open(t testing.TB, s *Store) *Version {
	t.Helper()
	v, err := s.OpenVersion(m.raw, m.header, testPlace)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// warnings collects what the store warns of.
type warnings struct {
	mu  sync.Mutex
	all []error
}

func (w *warnings) add(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, err)
}

func (w *warnings) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.all)
}

// openStore opens a store whose checkpoints come only when they are asked for.
func openStore(t testing.TB, dir string) (*Store, *warnings) {
	t.Helper()
	w := &warnings{}
	s, err := Open(dir, Options{CheckpointInterval: time.Hour, Warn: w.add})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fill puts the whole control file and all blocks.
func (m *target) fill(t testing.TB, v *Version) {
	t.Helper()
	must(t, v.PutControl(m.control, 0))
	must(t, v.Put(0, m.data))
}

// checkAll reads every block that is here and returns how many were right. A
// wrong byte fails the test; damage may be found.
func (m *target) checkAll(t testing.TB, v *Version) (right int) {
	t.Helper()
	for b := format.BlockID(0); b < m.count(); b++ {
		if n, _ := v.Known(b, b+1); n == 0 {
			continue
		}
		want := m.blocks(b, b+1)
		got := make([]byte, len(want))
		n, err := v.ReadAt(got, m.header.Geometry().Offset(b))
		if !bytes.Equal(got[:n], want[:n]) {
			t.Fatalf("block %d: wrong bytes", b)
		}
		var damaged *DamagedError
		switch {
		case err == nil && n == len(want):
			right++
		case errors.As(err, &damaged):
			if n, _ := v.Known(b, b+1); n != 0 {
				t.Fatalf("block %d is still here after %v", b, err)
			}
		case errors.Is(err, ErrUnknownBlock):
		default:
			t.Fatalf("block %d: %d bytes, %v", b, n, err)
		}
	}
	return right
}

// heal puts all that is missing, as the layer above would, and checks that the
// whole target then reads right.
func (m *target) heal(t testing.TB, v *Version) {
	t.Helper()
	m.checkAll(t, v)
	m.healControl(t, v)
	for tries := 0; ; tries++ {
		for b := format.BlockID(0); b < m.count(); {
			run, missing := v.Known(b, m.count())
			if missing > 0 {
				must(t, v.Put(b, m.blocks(b, b+format.BlockID(missing))))
			}
			b += format.BlockID(run + missing)
		}
		got := make([]byte, len(m.data))
		_, err := v.ReadAt(got, 0)
		if (err == nil || err == io.EOF) && bytes.Equal(got, m.data) {
			return
		}
		var damaged *DamagedError
		if !errors.As(err, &damaged) || tries > int(m.count()) {
			t.Fatalf("does not heal: %v", err)
		}
		m.healControl(t, v)
	}
}

func (m *target) healControl(t testing.TB, v *Version) {
	t.Helper()
	for tries := 0; len(v.ControlMissing()) > 0; tries++ {
		if tries > 100 {
			t.Fatalf("the control file does not heal: %v", v.ControlMissing())
		}
		for _, r := range v.ControlMissing() {
			must(t, v.PutControl(m.control[r.Start:r.End], r.Start))
		}
	}
}

// copyTree copies a folder as it is at the moment.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	must(t, errors.Join(os.MkdirAll(to, 0o700), os.Chmod(to, 0o700))) // as a store's folder is
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // files come and go under a writer
		}
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		p, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), p, 0o600)
	})
	must(t, err)
}

// commitIndex writes set to the index and makes it durable.
func (s *Store) commitIndex(set []entry) error {
	if err := s.updateIndex(set); err != nil {
		return err
	}
	return s.syncIndex()
}

// nothingOpen fails the test when versions stay open. What the store itself looks at
// after Open may be open for a moment.
func nothingOpen(t testing.TB, s *Store) {
	t.Helper()
	within(t, "nothing is open", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.open)+len(s.orphans) == 0
	})
}

// within waits until f says true.
func within(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so", what)
		}
	}
}
