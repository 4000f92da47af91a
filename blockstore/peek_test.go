package blockstore

import (
	"os"
	"sync"
	"testing"
)

func TestPeek(t *testing.T) {
	m := makeTarget(t, 1, 10000, 1024)
	s, w := openStore(t, t.TempDir())
	peek := func(blocks int64, state State) {
		t.Helper()
		if p, err := s.Peek(HeaderKey(m.raw, m.header, testPlace)); p.Blocks != blocks || p.State != state || err != nil {
			t.Errorf("Peek: %+v, %v", p, err)
		}
	}
	peek(0, Provisional)
	if names, _ := os.ReadDir(s.versionsDir()); len(names) != 0 {
		t.Errorf("Peek made %v", names)
	}
	v := m.open(t, s)
	peek(0, Provisional)
	must(t, v.PutControl(m.control, 0))
	must(t, v.Put(2, m.blocks(2, 6)))
	must(t, v.SetState(Suspect))
	peek(4, Suspect)
	must(t, v.Close())
	peek(4, Suspect)
	nothingOpen(t, s)
	if w.count() != 0 {
		t.Errorf("warnings: %v", w.all)
	}
	must(t, s.Close())
	if _, err := s.Peek(v.Key()); err != ErrClosed {
		t.Errorf("closed: %v", err)
	}
}

func TestPeekWhileOpening(t *testing.T) {
	m := makeTarget(t, 1, 10000, 1024)
	s, w := openStore(t, t.TempDir())
	var workers sync.WaitGroup
	workers.Go(func() {
		for range 50 {
			s.Peek(HeaderKey(m.raw, m.header, testPlace))
		}
	})
	for range 20 {
		v := m.open(t, s)
		m.fill(t, v)
		must(t, v.Close())
	}
	workers.Wait()
	if w.count() != 0 {
		t.Errorf("warnings: %v", w.all)
	}
}
