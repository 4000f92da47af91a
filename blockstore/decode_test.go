package blockstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
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
	f.Add(account{key: Key{1}, data: 9, own: 2, place: testPlace, owners: []Key{{2}, {3}}}.encode())
	f.Add(account{place: Place(make([]byte, maxPlace+1)), owners: make([]Key, maxOwners+1)}.encode())
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

// FuzzLog reads files of the index; with fix, records are given the checksums
// that they should have.
func FuzzLog(f *testing.F) {
	var file memoryFile
	head, end := encodeHead(7)
	file.WriteAt(head, 0)
	for i := range 3 {
		must(f, writeBatch(&file, &end, func(add func(key, value []byte) error) error {
			return errors.Join(add([]byte("ma"), []byte{0, byte(i)}), add([]byte("kb"), nil), add([]byte("vc"), []byte{}))
		}))
	}
	f.Add([]byte(file), false)
	f.Add([]byte(file[:len(file)-3]), true)
	f.Add([]byte(file[:logHead]), true)
	f.Add([]byte(logMagic), true)
	f.Fuzz(func(t *testing.T, p []byte, fix bool) {
		if fix {
			p = fixLog(p)
		}
		found, err := scanLog(bytes.NewReader(p), int64(len(p)))
		if found.good.size > int64(len(p)) || found.snapshot.size > found.good.size || (err == nil) != (found.good.size == int64(len(p)) && len(p) > 0) {
			t.Fatalf("%+v of %d bytes, %v", found, len(p), err)
		}
		if found.good.size == 0 {
			return
		}
		var all []entry
		must(t, applyLog(bytes.NewReader(p), found.good.size, func(set []entry) error {
			all = append(all, set...)
			return nil
		}))
		var again memoryFile
		head, end := encodeHead(7)
		again.WriteAt(head, 0)
		must(t, writeBatch(&again, &end, func(add func(key, value []byte) error) error {
			for _, e := range all {
				must(t, add([]byte(e.key), e.value))
			}
			return nil
		}))
		n := 0
		must(t, applyLog(bytes.NewReader(again), int64(len(again)), func(set []entry) error {
			for _, e := range set {
				if e.key != all[n].key || !bytes.Equal(e.value, all[n].value) || (e.value == nil) != (all[n].value == nil) {
					t.Errorf("entry %d is not the same again", n)
				}
				n++
			}
			return nil
		}))
		if n != len(all) || end.size != int64(len(again)) {
			t.Errorf("%d of %d entries are there again", n, len(all))
		}
	})
}

// fixLog gives the head and the records of p right checksums, as far as their
// lengths fit.
func fixLog(p []byte) []byte {
	if len(p) < logHead {
		return p
	}
	le := binary.LittleEndian
	p = bytes.Clone(p)
	head, end := encodeHead(le.Uint32(p[12:]))
	copy(p, head)
	for {
		r := p[end.size:]
		if len(r) < recordHead+recordSum {
			return p
		}
		n := int64(le.Uint32(r))
		if n > int64(len(r)-recordHead-recordSum) {
			return p
		}
		le.PutUint32(r[4:], le.Uint32(r[4:])&1)
		le.PutUint64(r[8:], end.number)
		end.sum = crc32.Update(end.sum, castagnoli, r[:recordHead+n])
		le.PutUint32(r[recordHead+n:], end.sum)
		end.size += recordHead + n + recordSum
		end.number++
	}
}

// memoryFile is a file in memory.
type memoryFile []byte

func (m *memoryFile) WriteAt(p []byte, at int64) (int, error) {
	*m = append((*m)[:at], p...)
	return len(p), nil
}
