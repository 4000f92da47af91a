package blockstore

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
)

// sharedOf are runs as the table has them.
func sharedOf(runs []located) (out []shared) {
	segments := map[Key]*segment{}
	for _, r := range runs {
		if segments[r.owner] == nil {
			segments[r.owner] = &segment{key: r.owner}
		}
		out = append(out, shared{blocks: r.blocks, segment: segments[r.owner], off: r.off})
	}
	return out
}

// FuzzShared reads files of shared runs; with fix, they get the checksum that they
// should have.
func FuzzShared(f *testing.F) {
	const blocks = 1000
	run := func(start, end, off int64, owner byte) located {
		return located{blocks: format.BlockRange{Start: format.BlockID(start), End: format.BlockID(end)}, off: off, owner: Key{owner}}
	}
	f.Add(encodeShared(Key{1}, sharedOf([]located{run(0, 3, 7, 2), run(3, 4, 100, 3), run(900, 1000, 5, 2)})), true)
	f.Add(encodeShared(Key{1}, sharedOf([]located{run(5, 1001, 0, 1), run(4, 6, 1<<60, 2)})), true)
	f.Add([]byte(sharedMagic), false)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, p []byte, fix bool) {
		if fix && len(p) >= 4 {
			p = appendSum(bytes.Clone(p[:len(p)-4]))
		}
		runs, err := decodeShared(p, Key{1}, blocks)
		if err != nil {
			if len(runs) != 0 {
				t.Error("a wrong file has runs")
			}
			return
		}
		next := format.BlockID(0)
		for _, r := range runs {
			if r.blocks.Start < next || r.blocks.Count() <= 0 || r.blocks.End > blocks || r.off < 0 {
				t.Fatalf("run %+v after block %d", r, next)
			}
			next = r.blocks.End
		}
		again := encodeShared(Key{1}, sharedOf(runs))
		if len(runs) == 0 {
			return
		}
		back, err := decodeShared(again, Key{1}, blocks)
		if err != nil || !slices.Equal(back, runs) {
			t.Errorf("not the same again: %v", err)
		}
		if _, err := decodeShared(again, Key{2}, blocks); err == nil {
			t.Error("passes as another version's")
		}
	})
}

// TestHostileShared: what the files of shared runs say is made up; no byte is wrong,
// and all heals.
func TestHostileShared(t *testing.T) {
	const blockSize, blocks = 1024, 200
	all := format.BlockRange{End: blocks}
	one := makeTarget(t, 1, blocks*blockSize, blockSize)
	two := one.changed(t, 2, 20)
	keys := []Key{HeaderKey(one.raw, one.header, testPlace), HeaderKey(two.raw, two.header, testPlace)}
	half := func(i int, owner Key, off int64) []located {
		return []located{{blocks: format.BlockRange{Start: format.BlockID(i), End: blocks}, off: off, owner: owner}}
	}
	var many []located
	for i := range byte(maxOwners + 10) {
		many = append(many, located{blocks: format.BlockRange{Start: format.BlockID(i), End: format.BlockID(i) + 1}, owner: Key{9, i}})
	}
	for name, files := range map[string][2][]located{
		"themselves": {half(0, keys[0], 0), half(3, keys[1], 77)},
		"each other": {half(0, keys[1], 0), half(0, keys[0], 0)},
		"gone":       {half(9, Key{5}, 0), half(0, Key{6}, 1<<50)},
		"past end":   {half(0, keys[1], blocks*blockSize-1), half(1, keys[0], 1<<55)},
		"shifted":    {half(0, keys[1], 1), half(0, keys[0], blockSize)},
		"overlap":    {append(half(0, keys[1], 0), half(5, keys[1], 0)...), {{blocks: all, owner: keys[0]}, {blocks: all, owner: keys[0]}}},
		"owners":     {many, many[:maxOwners]},
	} {
		for _, filled := range []int{0, 1, 2} {
			t.Run(fmt.Sprint(name, filled), func(t *testing.T) {
				hostileShared(t, []*target{one, two}, keys, files, filled)
			})
		}
	}
}

func hostileShared(t *testing.T, targets []*target, keys []Key, files [2][]located, filled int) {
	dir := t.TempDir()
	s, _ := openStore(t, dir)
	for i, m := range targets {
		v := m.open(t, s)
		must(t, v.PutControl(m.control, 0))
		if i < filled {
			must(t, v.Put(0, m.blocks(0, m.count()/format.BlockID(1+i))))
		}
		must(t, v.Checkpoint())
		v.folder.Lock()
		path := v.path()
		v.folder.Unlock()
		must(t, v.Close())
		must(t, os.WriteFile(filepath.Join(path, sharedName), encodeShared(keys[i], sharedOf(files[i])), 0o600))
	}
	must(t, s.Close())
	must(t, os.RemoveAll(filepath.Join(dir, indexName))) // it learns of the owners
	checkStore(t, dir, targets)
	checkStore(t, dir, targets)
}
