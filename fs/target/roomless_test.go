package target

import (
	"os"
	"path/filepath"
	"testing"
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
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.warned) != 1 {
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
