package blockstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestEntriesAndReopen(t *testing.T) {
	dir := t.TempDir()
	m, other := makeTarget(t, 1, 10000, 1024), makeTarget(t, 2, 5000, 1024)
	if Exists(dir) {
		t.Error("an empty folder is a store")
	}
	s, _ := openStore(t, dir)
	if !Exists(dir) {
		t.Error("a store is none")
	}
	v := m.open(t, s)
	must(t, v.PutControl(m.control, 0))
	must(t, v.Put(8, m.blocks(8, m.count())))
	w := other.open(t, s) // has no blocks
	expect := func(want int64) {
		t.Helper()
		all, err := s.Entries()
		if err != nil || len(all) != 1 || all[0].Key != v.Key() || all[0].Place != testPlace || all[0].Bytes != want {
			t.Errorf("Entries: %v, %v", all, err)
		}
	}
	expect(1024 + 784)
	same, err := s.Reopen(v.Key())
	if err != nil || same != v {
		t.Errorf("an open version: %v, %v", same, err)
	}
	must(t, same.Close())
	must(t, v.Close())
	must(t, w.Close())
	expect(1024 + 784)

	must(t, s.Close())
	s, _ = openStore(t, dir)
	expect(1024 + 784)
	v, err = s.Reopen(v.Key())
	must(t, err)
	p := make([]byte, 2000)
	if n, err := v.ReadAt(p, 8192); err != io.EOF || !bytes.Equal(p[:n], m.data[8192:]) {
		t.Errorf("ReadAt: %d, %v", n, err)
	}
	if _, err := v.OpenData(context.Background()); !errors.Is(err, ErrUnknownBlock) {
		t.Errorf("OpenData of a part: %v", err)
	}
	must(t, v.Put(0, m.blocks(0, 8)))
	f, err := v.OpenData(context.Background())
	must(t, err)
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, m.data) {
		t.Errorf("OpenData: %d bytes, %v", len(got), err)
	}
	must(t, v.Close())
	if _, err := v.OpenData(context.Background()); err == nil {
		t.Error("OpenData after Close")
	}
	nothingOpen(t, s)
}

func TestReopenOfWhatIsNotThere(t *testing.T) {
	m := makeTarget(t, 1, 10000, 1024)
	s, _ := openStore(t, t.TempDir())
	if _, err := s.Reopen(Key{1}); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	for _, spoil := range []func(dir string) error{
		func(dir string) error { return os.Remove(filepath.Join(dir, placeName)) },
		func(dir string) error {
			return os.WriteFile(filepath.Join(dir, placeName), []byte("http://else/"), 0o600)
		},
		func(dir string) error { return os.Truncate(filepath.Join(dir, controlName), 20) },
		func(dir string) error { return os.Remove(filepath.Join(dir, controlName)) },
	} {
		v := m.open(t, s)
		must(t, v.PutControl(m.control, 0))
		must(t, v.Put(0, m.blocks(0, 4)))
		dir := v.path()
		must(t, v.Close())
		must(t, spoil(dir))
		if _, err := s.Reopen(v.Key()); !errors.Is(err, ErrNotFound) {
			t.Errorf("spoiled: %v", err)
		}
		v = m.open(t, s)
		must(t, v.Discard())
		must(t, v.Close())
	}
	nothingOpen(t, s)
	must(t, s.Close())
	if _, err := s.Reopen(Key{}); err != ErrClosed {
		t.Errorf("closed: %v", err)
	}
	if _, err := s.Entries(); err != ErrClosed {
		t.Errorf("closed: %v", err)
	}
}
