package blockstore

import (
	"bytes"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
)

func FuzzKnownPage(f *testing.F) {
	const blocks = pageBlocks + 100
	s := newBitset(blocks)
	s.set(5, 700)
	s.set(pageBlocks+3, blocks)
	for i := range int64(2) {
		p := make([]byte, pageSize)
		encodePage(p, s, i, Key{1})
		f.Add(p, i)
	}
	f.Add([]byte{}, int64(-1))
	f.Fuzz(func(t *testing.T, p []byte, i int64) {
		got := newBitset(blocks)
		if err := decodePage(p, got, blocks, i, Key{1}); err != nil {
			if got.count() != 0 {
				t.Error("a wrong page set bits")
			}
			return
		}
		again := make([]byte, pageSize)
		encodePage(again, got, i, Key{1})
		back := newBitset(blocks)
		if err := decodePage(again, back, blocks, i, Key{1}); err != nil || back.count() != got.count() {
			t.Errorf("not the same again: %v", err)
		}
		if err := decodePage(again, back, blocks, i, Key{2}); err == nil {
			t.Error("passes as another version's")
		}
	})
}

func FuzzMeta(f *testing.F) {
	m := &versionMeta{
		key: Key{1, 2}, state: Suspect, geometry: format.Geometry{Length: 5 << 20, BlockSize: 2048},
		controlLength: 50000, have: extents{{Start: 0, End: 100}, {Start: 20000, End: 40000}}, sums: []uint32{1, 2, 3, 4},
	}
	f.Add(m.encode(), true)
	f.Add((&versionMeta{geometry: format.Geometry{BlockSize: 1}}).encode(), true)
	f.Add([]byte(metaMagic), false)
	f.Fuzz(func(t *testing.T, p []byte, fix bool) {
		if fix && len(p) >= 4 {
			// Let the fuzzer past the checksum.
			p = appendSum(p[:len(p)-4])
		}
		m, err := decodeMeta(p)
		if err != nil {
			return
		}
		again, err := decodeMeta(m.encode())
		if err != nil || len(again.have) > len(m.have) || !bytes.Equal(again.key[:], m.key[:]) {
			t.Errorf("not the same again: %v", err)
		}
	})
}

func FuzzAccount(f *testing.F) {
	f.Add(account{key: Key{1}, data: 2, disk: 3, used: 4}.encode())
	f.Fuzz(func(t *testing.T, p []byte) {
		if a, ok := decodeAccount(p); ok && !bytes.Equal(a.encode(), p) {
			t.Error("not the same again")
		}
	})
}

func FuzzNames(f *testing.F) {
	f.Add(formatLine(1))
	f.Add(ID{1}.String())
	f.Add(provisionalName(Key{1}))
	f.Fuzz(func(t *testing.T, text string) {
		if layout, ok := parseFormat([]byte(text)); ok && formatLine(layout) != text {
			t.Error("format line is not the same again")
		}
		if id, key, whole, ok := parseName(text); ok && whole && id.String() != text ||
			ok && !whole && provisionalName(key) != text {
			t.Error("name is not the same again")
		}
	})
}

// TestManyExtents: what does not fit into the meta file is dropped by pages.
func TestManyExtents(t *testing.T) {
	m := makeTarget(t, 1, 4000*512, 512)
	dir := t.TempDir()
	s, w := openStore(t, dir)
	v := m.open(t, s)
	for off := int64(200); off+5 < m.header.ControlLength(); off += 19 {
		must(t, v.PutControl(m.control[off:off+5], off))
	}
	before := len(v.ControlMissing())
	must(t, v.Close())
	v = m.open(t, s)
	if after := len(v.ControlMissing()); after >= before || after < maxExtents/2 {
		t.Errorf("%d gaps, %d before", after, before)
	}
	m.heal(t, v)
	must(t, v.Close())
	if w.count() != 0 {
		t.Errorf("warnings: %v", w.all)
	}
}
