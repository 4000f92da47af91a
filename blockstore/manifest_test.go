package blockstore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
)

// verify writes a manifest of m and marks v as verified.
func (m *target) verify(t testing.TB, v *Version) {
	t.Helper()
	f := v.NewManifest()
	for p := m.data; len(p) > 0; {
		n := min(len(p), 3333)
		f.Write(p[:n])
		p = p[n:]
	}
	must(t, f.Commit())
	must(t, v.SetVerified(v.Losses()))
}

func TestManifest(t *testing.T) {
	dir := t.TempDir()
	s, w := openStore(t, dir)
	m := makeTarget(t, 1, 500*1024+77, 1024)
	v := m.open(t, s)
	m.fill(t, v)
	m.verify(t, v)
	// What was lost and comes again changes nothing.
	must(t, v.Forget(format.BlockRange{Start: 3, End: 300}))
	must(t, v.Put(3, m.blocks(3, 300)))
	must(t, v.Forget(format.BlockRange{Start: m.count() - 1, End: m.count()}))
	must(t, v.Put(m.count()-1, m.blocks(m.count()-1, m.count())))
	if v.State() != Verified {
		t.Errorf("it is %v", v.State())
	}
	// Other bytes are refused, whatever their records.
	must(t, v.Forget(format.BlockRange{Start: 5, End: 7}))
	if err := v.Put(5, m.blocks(6, 8)); !errors.Is(err, ErrOtherContent) {
		t.Errorf("other bytes: %v", err)
	}
	if run, _ := v.Known(5, 7); run != 0 {
		t.Error("they are here")
	}
	must(t, v.Put(5, m.blocks(5, 7)))
	must(t, v.Close())
	must(t, s.Close())
	if w.count() != 0 {
		t.Errorf("warnings: %v", w.all)
	}
	// Without it, or with a damaged one, the whole is to be verified again.
	s, _ = openStore(t, dir)
	v = m.open(t, s)
	if v.State() != Verified {
		t.Errorf("opened again it is %v", v.State())
	}
	files, _ := filepath.Glob(filepath.Join(dir, versionsName, "*", manifestName))
	p, err := os.ReadFile(files[0])
	must(t, err)
	p[100] ^= 1
	must(t, os.WriteFile(files[0], p, 0o600))
	must(t, v.Forget(format.BlockRange{Start: 1, End: 2}))
	must(t, v.Put(1, m.blocks(1, 2)))
	if v.State() != Provisional {
		t.Errorf("with a damaged manifest it is %v", v.State())
	}
	m.same(t, v)
	must(t, v.Close())
	must(t, s.Close())
}

// TestShareOfVerified: what a verified version gets of another is what was verified, though
// it agreed with cut records.
func TestShareOfVerified(t *testing.T) {
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	m := makeTarget(t, 1, 500*1024+77, 1024)
	others := makeTarget(t, 1, 500*1024+77, 1024)
	for _, b := range []int{3, 10, 11, 299} {
		others.data[b*1024+5] ^= 1
	}
	others = targetOf(t, 9, others.data, 1024)
	v, u := m.open(t, s), others.open(t, s)
	m.fill(t, v)
	others.fill(t, u)
	m.verify(t, v)
	lost := format.BlockRange{Start: 3, End: 301}
	must(t, v.Forget(lost))
	runs := []Shared{{Blocks: lost, Off: 3 * 1024, Checked: true, Moves: u.Moves()}}
	if n, err := v.Share(u, runs); err != nil || n != lost.Count()-4 || v.State() != Verified {
		t.Errorf("%d blocks of %d, %v, it is %v", n, lost.Count(), err, v.State())
	}
	for b := lost.Start; b < lost.End; b++ {
		here, _ := v.Known(b, b+1)
		if same := bytes.Equal(m.blocks(b, b+1), others.blocks(b, b+1)); (here == 1) != same {
			t.Errorf("block %d is here %d times; its bytes are those of the other: %v", b, here, same)
		}
	}
	for _, b := range []format.BlockID{3, 10, 11, 299} {
		must(t, v.Put(b, m.blocks(b, b+1)))
	}
	m.same(t, v)

	// Where it is not known what was verified, it is to be verified again.
	files, err := filepath.Glob(filepath.Join(dir, versionsName, "*", manifestName))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	must(t, os.Remove(files[0]))
	must(t, v.Forget(format.BlockRange{Start: 4, End: 9}))
	runs = []Shared{{Blocks: format.BlockRange{Start: 4, End: 9}, Off: 4 * 1024}}
	if n, err := v.Share(u, runs); err != nil || n != 5 || v.State() != Provisional {
		t.Errorf("%d blocks, %v, it is %v", n, err, v.State())
	}
	m.same(t, v)
	must(t, v.Close())
	must(t, u.Close())
}

// TestManifestIsNoKnownMap: both are pages with checksums over the same Key. One in the
// place of the other tells nothing, and keeps no block out.
func TestManifestIsNoKnownMap(t *testing.T) {
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	m := makeTarget(t, 1, 500*1024+77, 1024)
	v := m.open(t, s)
	m.fill(t, v)
	m.verify(t, v)
	must(t, v.Checkpoint())
	files, _ := filepath.Glob(filepath.Join(dir, versionsName, "*", manifestName))
	known, err := os.ReadFile(filepath.Join(filepath.Dir(files[0]), knownName))
	must(t, err)
	manifest, err := os.ReadFile(files[0])
	must(t, err)
	must(t, os.WriteFile(files[0], append(known, manifest[len(known):]...), 0o600))
	must(t, v.Forget(format.BlockRange{Start: 1, End: 2}))
	must(t, v.Put(1, m.blocks(1, 2)))
	if v.State() != Provisional {
		t.Errorf("without a manifest it is %v", v.State())
	}
	if err := decodePage(manifest[:pageSize], newBitset(int64(m.count())), int64(m.count()), 0, v.key); err != errPage {
		t.Errorf("a page of the manifest as one of the known map: %v", err)
	}
	m.same(t, v)
	must(t, v.Close())
	must(t, s.Close())
}

// TestManifestsAtOnce: two mounts may verify one version at the same time; one of
// them makes the manifest.
func TestManifestsAtOnce(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	m := makeTarget(t, 1, 500*1024+77, 1024)
	v := m.open(t, s)
	defer v.Close()
	m.fill(t, v)
	first := v.NewManifest()
	first.Write(m.data[:300*1024])
	second := v.NewManifest()
	second.Write(m.data[:5000])
	first.Write(m.data[300*1024:])
	must(t, first.Commit())
	second.Write(m.data[5000:])
	if err := second.Commit(); err != nil {
		t.Errorf("the second: %v", err)
	}
	must(t, v.SetVerified(v.Losses()))
	if bad, known := v.differing(format.BlockRange{End: m.count()}, m.data); len(bad) > 0 || !known {
		t.Errorf("it is known: %v; %d differ", known, len(bad))
	}
	m.verify(t, v) // the next one is made again
}
