package blockstore

import (
	"os"
	"path/filepath"
	"testing"
)

// goldenDir is a store of layout 1. It is kept as it is for ever: a later
// layout gets a folder of its own, and a program that reads layout 1 must pass.
const goldenDir = "testdata/layout-1"

// goldenUpdate names the variable with which TestGolden makes goldenDir.
const goldenUpdate = "BLOCKSTORE_TEST_MAKE_GOLDEN"

func goldenTargets(t *testing.T) (whole, part *target) {
	return makeTarget(t, 101, 20*512+5, 512), makeTarget(t, 102, 30*512, 512)
}

func makeGolden(t *testing.T) {
	whole, part := goldenTargets(t)
	s, _ := openStore(t, goldenDir)
	v := whole.open(t, s)
	whole.fill(t, v)
	must(t, v.SetVerified(v.Losses()))
	must(t, v.Close())
	v = part.open(t, s)
	must(t, v.PutControl(part.control[:400], 0))
	must(t, v.Put(2, part.blocks(2, 7)))
	must(t, v.Close())
	must(t, s.MetaPut("key", []byte("value")))
	must(t, s.Close())
	must(t, os.Remove(filepath.Join(goldenDir, lockName)))
}

func TestGolden(t *testing.T) {
	if os.Getenv(goldenUpdate) != "" {
		makeGolden(t)
	}
	dir := t.TempDir()
	copyTree(t, goldenDir, dir)
	whole, part := goldenTargets(t)
	s, w := openStore(t, dir)
	if p, err := s.MetaGet("key"); string(p) != "value" {
		t.Errorf("MetaGet: %q, %v", p, err)
	}
	if got := s.Stats(); got.Versions != 2 || got.DataBytes != 25*512+5 {
		t.Errorf("Stats = %+v", got)
	}
	v := whole.open(t, s)
	if _, ok := v.ID(); !ok || v.State() != Verified || whole.checkAll(t, v) != 21 {
		t.Errorf("whole version: %d blocks, %v", v.KnownCount(), v.State())
	}
	must(t, v.Close())
	v = part.open(t, s)
	if got := v.ControlMissing(); len(got) != 1 || got[0].Start != 400 || part.checkAll(t, v) != 5 {
		t.Errorf("provisional version: %d blocks, missing %v", v.KnownCount(), got)
	}
	part.heal(t, v)
	must(t, v.Close())
	if w.count() != 0 {
		t.Errorf("warnings: %v", w.all)
	}
}
