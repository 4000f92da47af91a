package blockstore

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

func FuzzShared(f *testing.F) {
	const blocks = 1000
	one, two := &segment{key: Key{5}}, &segment{key: Key{6}}
	runs := []shared{
		{blocks: format.BlockRange{Start: 0, End: 9}, segment: one, off: 77},
		{blocks: format.BlockRange{Start: 9, End: 10}, segment: two, off: 0},
		{blocks: format.BlockRange{Start: 900, End: blocks}, segment: one, off: 1 << 40},
	}
	f.Add(encodeShared(Key{1}, runs), true)
	f.Add(encodeShared(Key{1}, runs[:1]), true)
	f.Add([]byte(sharedMagic), false)
	f.Fuzz(func(t *testing.T, p []byte, fix bool) {
		if fix && len(p) >= 4 {
			p = appendSum(p[:len(p)-4]) // let the fuzzer past the checksum
		}
		got, err := decodeShared(p, Key{1}, blocks)
		if err != nil {
			return
		}
		next := format.BlockID(0)
		for _, r := range got {
			if r.blocks.Start < next || r.blocks.Count() == 0 || r.blocks.End > blocks || r.off < 0 {
				t.Fatalf("a run of %v at %d", r.blocks, r.off)
			}
			next = r.blocks.End
		}
		if _, err := decodeShared(p, Key{2}, blocks); err == nil {
			t.Error("passes as another version's")
		}
	})
}

// TestHostileShared: a version whose list of shared runs says what is not so reads
// right all the same.
func TestHostileShared(t *testing.T) {
	const blockSize, blocks = 4096, 64
	for name, runs := range map[string]func(own, other Key) []located{
		"itself":            func(own, _ Key) []located { return []located{{format.BlockRange{End: blocks}, 0, own}} },
		"a version unknown": func(_, _ Key) []located { return []located{{format.BlockRange{End: blocks}, 0, Key{9}}} },
		"past the end": func(_, other Key) []located {
			return []located{{format.BlockRange{End: blocks}, blocks * blockSize, other}}
		},
		"other bytes": func(_, other Key) []located { return []located{{format.BlockRange{End: blocks - 1}, 1, other}} },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, _ := openStore(t, dir)
			one := makeTarget(t, 1, blocks*blockSize, blockSize)
			two := one.changed(t, 2, 5)
			v1, v2 := one.open(t, s), two.open(t, s)
			one.fill(t, v1)
			must(t, v2.PutControl(two.control, 0))
			must(t, v2.Checkpoint())
			id, _ := v2.ID()
			var list []shared
			for _, r := range runs(v2.Key(), v1.Key()) {
				list = append(list, shared{r.blocks, &segment{key: r.owner}, r.off})
			}
			p := encodeShared(v2.Key(), list)
			must(t, v1.Close())
			must(t, v2.Close())
			must(t, s.Close())
			must(t, os.WriteFile(filepath.Join(dir, versionsName, id.String(), sharedName), p, 0o600))
			s, _ = openStore(t, dir)
			v1, v2 = one.open(t, s), two.open(t, s)
			two.heal(t, v2)
			must(t, v2.Gather(context.Background()))
			two.same(t, v2)
			one.same(t, v1)
			must(t, v1.Close())
			must(t, v2.Close())
			must(t, s.Close())
		})
	}
}

// TestCrashWhileMoving copies the store at any moment while blocks are shared,
// gathered, handed over and evicted: whatever a copy has reads right.
func TestCrashWhileMoving(t *testing.T) {
	const blockSize, blocks = 4096, 96
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	dir, copies := t.TempDir(), t.TempDir()
	s, err := Open(dir, Options{CheckpointInterval: 3 * time.Millisecond})
	must(t, err)
	targets := []*target{makeTarget(t, 1, blocks*blockSize, blockSize)}
	for i := range 3 {
		targets = append(targets, targets[i].changed(t, uint64(i+2), 8))
	}
	stop := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			m, last := targets[i%len(targets)], targets[(i+len(targets)-1)%len(targets)]
			v, donor := m.open(t, s), last.open(t, s)
			if err := v.PutControl(m.control, 0); err != nil {
				t.Error(err)
			}
			shareAligned(t, v, donor, m, last)
			m.fill(t, v)
			if err := v.Gather(context.Background()); err != nil {
				t.Error(err)
			}
			if err := donor.Close(); err != nil {
				t.Error(err)
			}
			if i%3 == 2 {
				if err := s.Remove(v.Key()); err != nil {
					t.Error(err)
				}
			}
			if err := v.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	for round := range rounds {
		time.Sleep(time.Duration(round%7) * time.Millisecond)
		to := filepath.Join(copies, string(rune('a'+round)))
		copyTree(t, dir, to)
		again, _ := openStore(t, to)
		for _, m := range targets {
			v := m.open(t, again)
			m.checkAll(t, v)
			m.heal(t, v)
			must(t, v.Close())
		}
		if _, err := again.Collect(); err != nil {
			t.Error(err)
		}
		must(t, again.Close())
		must(t, os.RemoveAll(to))
	}
	close(stop)
	work.Wait()
	must(t, s.Close())
}
