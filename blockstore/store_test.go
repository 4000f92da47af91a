package blockstore

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
)

func TestPutReadReopen(t *testing.T) {
	dir := t.TempDir()
	m := makeTarget(t, 1, 100*4096+123, 4096)
	s, _ := openStore(t, dir)
	v := m.open(t, s)
	if err := v.Put(3, m.blocks(3, 5)); !errors.Is(err, ErrUnknownRecords) {
		t.Fatalf("Put without records: %v", err)
	}
	half := len(m.control) / 2
	must(t, v.PutControl(m.control[:half], 0))
	must(t, v.Put(3, m.blocks(3, 9)))
	if run, missing := v.Known(0, m.count()); run != 0 || missing != 3 {
		t.Errorf("Known(0) = %d, %d", run, missing)
	}
	if run, missing := v.Known(4, 7); run != 3 || missing != 0 {
		t.Errorf("Known(4) = %d, %d", run, missing)
	}
	if _, err := v.ReadAt(make([]byte, 10), 0); err != ErrUnknownBlock {
		t.Errorf("ReadAt of an unknown block: %v", err)
	}
	if _, ok := v.ID(); ok {
		t.Error("has an ID too early")
	}
	must(t, v.PutControl(m.control[half-10:], int64(half-10)))
	id, ok := v.ID()
	if !ok {
		t.Fatal("has no ID")
	}
	must(t, v.Put(m.count()-1, m.blocks(m.count()-1, m.count())))
	must(t, v.SetState(Suspect))
	must(t, v.Close())
	must(t, s.Close())

	s, w := openStore(t, dir)
	if got := s.Stats(); got.Versions != 1 || got.DataBytes != 6*4096+123 || got.DiskBytes <= 0 || got.FreeBytes <= 0 {
		t.Errorf("Stats = %+v", got)
	}
	v = m.open(t, s)
	if v.State() != Suspect || v.KnownCount() != 7 || len(v.ControlMissing()) != 0 {
		t.Errorf("state %v, %d blocks, missing %v", v.State(), v.KnownCount(), v.ControlMissing())
	}
	if again, ok := v.ID(); !ok || again != id {
		t.Error("ID changed")
	}
	got := make([]byte, 3*4096)
	if n, err := v.ReadAt(got, 3*4096+100); err != nil || n != len(got) || !bytes.Equal(got, m.data[3*4096+100:][:len(got)]) {
		t.Errorf("ReadAt: %d, %v", n, err)
	}
	n, err := v.ReadAt(got, 100*4096+100)
	if err != io.EOF || n != 23 || !bytes.Equal(got[:n], m.data[100*4096+100:]) {
		t.Errorf("ReadAt at the end: %d, %v", n, err)
	}
	r, err := v.Records(format.BlockRange{Start: 2, End: 4})
	if err != nil || !bytes.Equal(r, m.control[int(m.header.Size)+2*20:][:40]) {
		t.Errorf("Records: %v", err)
	}
	if right := m.checkAll(t, v); right != 7 {
		t.Errorf("%d blocks are right", right)
	}
	m.heal(t, v)
	must(t, v.Close())
	if w.count() != 0 {
		t.Errorf("warnings: %v", w.all)
	}
}

func TestSameVersionWhileOpen(t *testing.T) {
	m := makeTarget(t, 1, 5000, 1024)
	s, _ := openStore(t, t.TempDir())
	a, b := m.open(t, s), m.open(t, s)
	if a != b {
		t.Error("two Versions")
	}
	must(t, a.Close())
	must(t, b.PutControl(m.control, 0))
	must(t, b.Close())
	if err := b.Close(); err != ErrClosed {
		t.Errorf("third Close: %v", err)
	}
	if _, err := b.ReadAt(make([]byte, 1), 0); err != ErrClosed {
		t.Errorf("ReadAt: %v", err)
	}
	nothingOpen(t, s)
}

func TestArguments(t *testing.T) {
	m := makeTarget(t, 1, 5000, 1024)
	s, _ := openStore(t, t.TempDir())
	v := m.open(t, s)
	defer v.Close()
	must(t, v.PutControl(m.control, 0))
	for _, c := range []struct {
		first format.BlockID
		n     int
	}{{-1, 1024}, {0, 100}, {4, 905}, {4, 903}, {5, 1}, {1 << 60, 1024}, {0, 5001}} {
		if err := v.Put(c.first, make([]byte, c.n)); !errors.Is(err, ErrInvalid) {
			t.Errorf("Put(%d, %d bytes): %v", c.first, c.n, err)
		}
	}
	must(t, v.Put(5, nil))
	if _, err := v.ReadAt(make([]byte, 1), -1); !errors.Is(err, ErrInvalid) {
		t.Errorf("ReadAt(-1): %v", err)
	}
	if n, err := v.ReadAt(make([]byte, 1), 1<<62); n != 0 || err != io.EOF {
		t.Errorf("ReadAt past the end: %d, %v", n, err)
	}
	for _, r := range []format.BlockRange{{Start: -1, End: 2}, {Start: 3, End: 2}, {Start: 0, End: 6}, {Start: 0, End: 1 << 60}} {
		if _, err := v.Records(r); !errors.Is(err, ErrInvalid) {
			t.Errorf("Records(%v): %v", r, err)
		}
	}
	if err := v.PutControl([]byte("x"), -1); !errors.Is(err, ErrInvalid) {
		t.Errorf("PutControl(-1): %v", err)
	}
	must(t, v.PutControl([]byte("trailing"), m.header.ControlLength()))
	must(t, v.PutControl([]byte("trailing"), 1<<62))
	must(t, v.Forget(format.BlockRange{Start: -5, End: 1 << 60}))
	if run, missing := v.Known(-1, 5); run != 0 || missing != 0 {
		t.Errorf("Known(-1) = %d, %d", run, missing)
	}
	if err := v.SetState(7); !errors.Is(err, ErrInvalid) {
		t.Errorf("SetState(7): %v", err)
	}
	if _, err := s.OpenVersion(m.raw[1:], m.header, testPlace); !errors.Is(err, ErrInvalid) {
		t.Errorf("OpenVersion: %v", err)
	}
}

func TestControlConflict(t *testing.T) {
	m := makeTarget(t, 1, 500*512, 512)
	s, w := openStore(t, t.TempDir())
	v := m.open(t, s)
	defer v.Close()
	must(t, v.PutControl(m.control[:3000], 0))
	wrong := bytes.Clone(m.control[2900:3100])
	wrong[50] ^= 1
	if err := v.PutControl(wrong, 2900); err != ErrControlConflict {
		t.Fatalf("PutControl: %v", err)
	}
	if got := v.ControlMissing(); len(got) != 1 || got[0].Start != 3000 {
		t.Errorf("missing %v", got)
	}
	must(t, v.PutControl(m.control[2900:], 2900))
	if w.count() != 0 {
		t.Errorf("warnings: %v", w.all)
	}
}

func TestEmptyTarget(t *testing.T) {
	m := &target{raw: []byte("zsync: 0.6.2\nBlocksize: 2048\nLength: 0\nHash-Lengths: 1,2,3\n\n")}
	m.control = m.raw
	m.header = &format.Header{BlockSize: 2048, SeqMatches: 1, RsumLength: 2, StrongLength: 3, Size: int64(len(m.raw))}
	dir := t.TempDir()
	for range 2 {
		s, w := openStore(t, dir)
		v := m.open(t, s)
		if _, ok := v.ID(); !ok {
			t.Error("no ID")
		}
		if n, err := v.ReadAt(make([]byte, 4), 0); n != 0 || err != io.EOF {
			t.Errorf("ReadAt: %d, %v", n, err)
		}
		must(t, v.SetVerified(v.Losses()))
		must(t, v.Close())
		must(t, s.Close())
		if w.count() != 0 {
			t.Errorf("warnings: %v", w.all)
		}
	}
}

func TestMeta(t *testing.T) {
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	if _, err := s.MetaGet("a"); err != ErrNotFound {
		t.Errorf("MetaGet: %v", err)
	}
	values := map[string][]byte{
		"":  []byte("empty key"),
		"a": {}, "b": []byte("bb"),
		"c":                             bytes.Repeat([]byte("c"), metaPiece),
		"d":                             bytes.Repeat([]byte("d"), metaPiece+1),
		"e":                             bytes.Repeat([]byte("e"), MaxMetaValue),
		strings.Repeat("k", MaxMetaKey): bytes.Repeat([]byte("l"), MaxMetaValue),
	}
	for k, value := range values {
		must(t, s.MetaPut(k, value))
	}
	if err := s.MetaPut("x", make([]byte, MaxMetaValue+1)); !errors.Is(err, ErrInvalid) {
		t.Errorf("too long: %v", err)
	}
	must(t, s.MetaPut("f", values["e"]))
	must(t, s.MetaPut("f", []byte("short again")))
	values["f"] = []byte("short again")
	must(t, s.MetaPut("g", values["d"]))
	must(t, s.MetaDelete("g"))
	for range 2 {
		for k, want := range values {
			if got, err := s.MetaGet(k); err != nil || !bytes.Equal(got, want) {
				t.Errorf("MetaGet(%.10q): %d bytes, %v", k, len(got), err)
			}
		}
		if got, err := s.MetaGet("a"); err != nil || got == nil {
			t.Errorf("empty value: %v, %v", got, err)
		}
		if _, err := s.MetaGet("g"); err != ErrNotFound {
			t.Errorf("deleted: %v", err)
		}
		must(t, s.Close())
		if _, err := s.MetaGet("a"); err != ErrClosed {
			t.Errorf("closed: %v", err)
		}
		s, _ = openStore(t, dir)
	}
}

func TestTwoOwners(t *testing.T) {
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	_, err := Open(dir, Options{})
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() || locked.Dir != dir {
		t.Fatalf("second Open: %v", err)
	}
	must(t, s.Close())
	if err := s.Close(); err != ErrClosed {
		t.Errorf("second Close: %v", err)
	}
	openStore(t, dir)
}

// TestFolderOfOtherThings: a store is not made among other files.
func TestFolderOfOtherThings(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "owner.log"), nil, 0o600))
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrNotStore) {
		t.Errorf("beside another file: %v", err)
	}
	s, err := Open(dir, Options{Beside: []string{"owner.log"}})
	must(t, err)
	must(t, s.Close())
}

func TestFormatFile(t *testing.T) {
	for _, c := range []struct {
		name, text, foreign string
		want                error
		warn                int
	}{
		{"newer", formatLine(Layout + 1), "", &LayoutError{}, 0},
		{"damaged", strings.Replace(formatLine(1), "1", "3", 1), "", nil, 1},
		{"empty", "", "", nil, 1},
		{"lost", "-", "", nil, 1},
		{"not a store", "-", "holiday.jpg", ErrNotStore, 0},
		{"lost beside what its owner keeps there", "-", "owner.log", nil, 1},
		{"lost beside a hidden file", "-", ".hidden", nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s, _ := openStore(t, dir)
			must(t, s.MetaPut("a", []byte("b")))
			must(t, s.Close())
			if c.text == "-" {
				must(t, os.Remove(filepath.Join(dir, formatName)))
			} else {
				must(t, os.WriteFile(filepath.Join(dir, formatName), []byte(c.text), 0o600))
			}
			if c.foreign != "" {
				must(t, os.WriteFile(filepath.Join(dir, c.foreign), nil, 0o600))
			}
			w := &warnings{}
			s, err := Open(dir, Options{Warn: w.add, Beside: []string{"owner.log"}})
			if c.want != nil {
				var layout *LayoutError
				if !errors.Is(err, c.want) && !(errors.As(err, &layout) && errors.As(c.want, &layout)) {
					t.Fatalf("Open: %v", err)
				}
				return
			}
			must(t, err)
			defer s.Close()
			if w.count() != c.warn {
				t.Errorf("warnings: %v", w.all)
			}
			if _, err := s.MetaGet("a"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDiscard(t *testing.T) {
	dir := t.TempDir()
	m := makeTarget(t, 1, 10000, 1024)
	s, _ := openStore(t, dir)
	v := m.open(t, s)
	m.fill(t, v)
	must(t, v.Checkpoint())
	must(t, v.Discard())
	w := m.open(t, s)
	if w == v || w.KnownCount() != 0 || v.KnownCount() != 10 {
		t.Errorf("%d and %d blocks", w.KnownCount(), v.KnownCount())
	}
	m.checkAll(t, v)
	must(t, v.Close())
	m.fill(t, w)
	must(t, w.Close())
	names, _ := os.ReadDir(s.versionsDir())
	if len(names) != 1 || s.Stats().Versions != 1 {
		t.Errorf("%v, %+v", names, s.Stats())
	}
}

func TestManyVersions(t *testing.T) {
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	const n = 50
	for i := range n {
		m := makeTarget(t, uint64(i), 3000, 1024)
		v := m.open(t, s)
		m.fill(t, v)
		must(t, v.Close())
	}
	must(t, s.Close())
	s, _ = openStore(t, dir)
	if got := s.Stats(); got.Versions != n || got.DataBytes != n*3000 {
		t.Errorf("Stats = %+v", got)
	}
	must(t, s.Close())
	// A lost index is made anew from the folders.
	must(t, os.RemoveAll(filepath.Join(dir, indexName)))
	s, w := openStore(t, dir)
	if got := s.Stats(); got.Versions != n || got.DataBytes != n*3000 {
		t.Errorf("Stats = %+v", got)
	}
	for i := range n {
		m := makeTarget(t, uint64(i), 3000, 1024)
		v := m.open(t, s)
		if m.checkAll(t, v) != 3 {
			t.Errorf("version %d lost blocks", i)
		}
		must(t, v.Close())
	}
	if w.count() != 0 {
		t.Errorf("warnings: %v", w.all)
	}
	nothingOpen(t, s)
}
