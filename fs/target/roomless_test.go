package target

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// spoilVersions puts a file where the store makes its folders, so that no new
// version can be made, as on a full disk.
func (f *fixture) spoilVersions() {
	f.t.Helper()
	dir := filepath.Join(f.dir, "versions")
	if err := os.Remove(dir); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func TestReadsGoOnWithoutAStore(t *testing.T) {
	f := newFixture(t, 4*mib+5, nil)
	f.spoilVersions()
	tg := f.open()
	r := tg.NewReader()
	for off := int64(0); off < int64(len(f.data)); off += 128 << 10 {
		f.expect(r, off, 128<<10)
	}
	if bytes, _ := f.fetched("/t.dat"); bytes != int64(len(f.data)) {
		t.Errorf("%d bytes were fetched for %d that were read once", bytes, len(f.data))
	}
	f.expect(tg, 1234, 100_000)
	if f.store.Trouble() == nil {
		t.Error("the store says nothing")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.warned) > 0 { // the store tells, once for all targets
		t.Errorf("warned of %q", f.warned)
	}
}

func TestSmallTargetWithoutAStore(t *testing.T) {
	f := newFixture(t, 100_000, nil)
	f.spoilVersions()
	tg := f.open()
	f.expect(tg, 0, 100_000)
	f.expect(tg, 500, 10)
}

// TestKeepsAgain: what was opened while the store could take nothing is kept from the
// next Open on, once the store can, also when somebody has the file open all the time.
func TestKeepsAgain(t *testing.T) {
	f := newFixture(t, 1*mib, nil)
	f.spoilVersions()
	old := f.open()
	f.expect(old, 0, 100_000)
	versions := filepath.Join(f.dir, "versions")
	if err := errors.Join(os.Remove(versions), os.Mkdir(versions, 0o700)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); f.store.Trouble() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(f.store.Trouble().Err)
		}
	}
	tg := f.open()
	f.expect(tg, 0, 100_000)
	if n := tg.Stats().Local; n == 0 {
		t.Error("nothing of it is here")
	}
	f.expect(old, 300_000, 100_000)
	if n := f.store.Stats().Versions; n != 1 {
		t.Errorf("%d versions", n)
	}
}
