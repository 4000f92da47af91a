package blockstore

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestPromotionRenames(t *testing.T) {
	m := makeTarget(t, 1, 50000, 1024)
	s, _ := openStore(t, t.TempDir())
	v := m.open(t, s)
	defer v.Close()
	if v.name != provisionalName(v.key) {
		t.Errorf("name %q", v.name)
	}
	must(t, v.PutControl(m.control[:500], 0))
	must(t, v.Put(0, m.blocks(0, 5)))
	must(t, v.Checkpoint())
	must(t, v.PutControl(m.control[500:], 500))
	id, _ := v.ID()
	if v.name != id.String() {
		t.Errorf("name %q, ID %v", v.name, id)
	}
	must(t, v.Put(5, m.blocks(5, 49)))
	if m.checkAll(t, v) != 49 {
		t.Error("blocks were lost")
	}
}

// TestMerge: the index lost a version, so a second one grows until it proves
// to be the same.
func TestMerge(t *testing.T) {
	dir := t.TempDir()
	m := makeTarget(t, 1, 100*1024+50, 1024)
	s, _ := openStore(t, dir)
	v := m.open(t, s)
	must(t, v.PutControl(m.control, 0))
	must(t, v.Put(0, m.blocks(0, 40)))
	must(t, v.SetState(Suspect))
	must(t, v.Close())
	must(t, s.index.update([]entry{keyEntry(v.key, "")}))

	v = m.open(t, s)
	if v.KnownCount() != 0 {
		t.Fatal("the index still knows the version")
	}
	must(t, v.PutControl(m.control[:2000], 0))
	must(t, v.Put(30, m.blocks(30, 60)))
	must(t, v.PutControl(m.control[2000:], 2000))
	if v.KnownCount() != 60 || v.State() != Suspect {
		t.Errorf("%d blocks, %v", v.KnownCount(), v.State())
	}
	if m.checkAll(t, v) != 60 {
		t.Error("blocks were lost")
	}
	must(t, v.Put(60, m.blocks(60, 61)))
	must(t, v.Close())
	if got := s.Stats(); got.Versions != 1 || got.DataBytes != 61*1024 {
		t.Errorf("Stats = %+v", got)
	}
	must(t, s.Close())
	s, w := openStore(t, dir)
	v = m.open(t, s)
	if m.checkAll(t, v) != 61 || w.count() != 0 {
		t.Errorf("after a restart: %d blocks, %v", v.KnownCount(), w.all)
	}
	must(t, v.Close())
	if names, _ := os.ReadDir(s.versionsDir()); len(names) != 1 {
		t.Errorf("folders %v", names)
	}
}

// TestCrashBeforeRename: the control file is whole and the folder still has
// its provisional name.
func TestCrashBeforeRename(t *testing.T) {
	dir := t.TempDir()
	m := makeTarget(t, 1, 20000, 1024)
	s, _ := openStore(t, dir)
	v := m.open(t, s)
	m.fill(t, v)
	name := v.name
	must(t, v.Close())
	must(t, s.Close())
	must(t, os.Rename(filepath.Join(dir, versionsName, name), filepath.Join(dir, versionsName, provisionalName(v.key))))
	s, _ = openStore(t, dir)
	v = m.open(t, s)
	defer v.Close()
	if _, ok := v.ID(); !ok || v.name != name || m.checkAll(t, v) != 20 {
		t.Errorf("name %s, %d blocks", v.name, v.KnownCount())
	}
}

// TestOtherControlUnderID: a part of the control file is lost, and what comes
// in its place makes another file.
func TestOtherControlUnderID(t *testing.T) {
	m := makeTarget(t, 1, 3000*512, 512)
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	v := m.open(t, s)
	m.fill(t, v)
	must(t, v.Close())
	path := filepath.Join(dir, versionsName, v.name, controlName)
	p, err := os.ReadFile(path)
	must(t, err)
	p[20000] ^= 1
	must(t, os.WriteFile(path, p, 0o600))
	v = m.open(t, s)
	defer v.Close()
	m.checkAll(t, v)
	gaps := v.ControlMissing()
	if len(gaps) != 1 || gaps[0].Start != controlPage {
		t.Fatalf("missing %v", gaps)
	}
	other := bytes.Clone(m.control)
	other[20001] ^= 1
	if err := v.PutControl(other[gaps[0].Start:gaps[0].End], gaps[0].Start); err != ErrControlConflict {
		t.Fatalf("PutControl: %v", err)
	}
	if _, ok := v.ID(); ok {
		t.Error("has an ID")
	}
	m.heal(t, v)
	if _, ok := v.ID(); !ok {
		t.Error("has no ID")
	}
}
