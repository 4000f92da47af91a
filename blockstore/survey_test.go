package blockstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// killedStore is a copy of a store as a kill leaves it: each of targets was put after the
// last checkpoint that the index knows of.
func killedStore(t *testing.T, targets []*target) (dir string) {
	t.Helper()
	s, _ := openStore(t, t.TempDir())
	for _, m := range targets {
		v := m.open(t, s)
		must(t, v.PutControl(m.control, 0))
		must(t, v.Checkpoint())
		must(t, v.Put(0, m.blocks(0, m.count())))
	}
	dir = filepath.Join(t.TempDir(), "killed")
	copyTree(t, s.Dir(), dir)
	return dir
}

// TestSurvey: what a killed process wrote last counts, whether its version is opened or
// not.
func TestSurvey(t *testing.T) {
	targets := []*target{makeTarget(t, 1, 300*4096, 4096), makeTarget(t, 2, 300*4096, 4096)}
	dir := killedStore(t, targets)
	s, _ := openStore(t, dir)
	v := targets[0].open(t, s)
	defer v.Close()
	within(t, "what the store says that it takes", func() bool {
		s.checkpoint()
		off := s.Stats().DiskBytes - roomOf(dir)
		return -64<<10 < off && off < 64<<10
	})
	must(t, v.Close())
	must(t, s.Close())
	s, _ = openStore(t, dir)
	if off := s.Stats().DiskBytes - roomOf(dir); off < -64<<10 || off > 64<<10 {
		t.Errorf("after another start the store is wrong by %d bytes", off)
	}
}

// TestSurveyEvicts: a store that a kill left too large shrinks without a Put.
func TestSurveyEvicts(t *testing.T) {
	targets := []*target{makeTarget(t, 1, 300*4096, 4096), makeTarget(t, 2, 300*4096, 4096)}
	dir := killedStore(t, targets)
	s, err := Open(dir, Options{Limits: Limits{Size: 2 << 20}})
	must(t, err)
	defer s.Close()
	within(t, "the store is within its limit", func() bool { return roomOf(dir) <= 2<<20 })
}

// TestLeftOverFiles: files that a kill left half written go when their version is opened.
func TestLeftOverFiles(t *testing.T) {
	m := makeTarget(t, 1, 10*4096, 4096)
	s, _ := openStore(t, t.TempDir())
	v := m.open(t, s)
	dir := v.path()
	must(t, v.Close())
	temps := []string{metaTempName, sharedTemp, manifestTemp}
	for _, name := range temps {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600))
	}
	v = m.open(t, s)
	defer v.Close()
	for _, name := range temps {
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left over: %v", name, err)
		}
	}
}
