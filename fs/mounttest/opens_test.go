package mounttest

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// TestTortureOpens opens, reads and closes artifacts side by side, by all ways to read and
// by readers that are killed, while others take their place on the server.
func TestTortureOpens(t *testing.T) {
	t.Parallel()
	needMount(t)
	c := newChurn(t, 12, 12)
	w := watch(t, serve(t, c.dir).URL("/"), smallStore, "--refresh=300ms", "--read-deadline=4s")
	m := w.m
	const readers, each = 4, 25
	made := 0
	round := func() {
		for i := range c.changes {
			if c.rng.IntN(3) == 0 {
				c.replace(i)
			}
		}
		var all sync.WaitGroup
		for range readers {
			rng := rand.New(rand.NewPCG(c.rng.Uint64(), 1))
			all.Go(func() {
				for range each {
					if err := c.open(m, rng); err != nil {
						t.Error(err)
					}
				}
			})
		}
		c.killed(m, 100*time.Millisecond)
		all.Wait()
		made += readers * each
	}
	round()
	base := w.base()
	for range trials(8, 120) {
		if round(); t.Failed() {
			t.Fatalf("after %d opens", made)
		}
	}
	allRight(t, c.pairs(m))
	w.backAt(base, leakRoom)
	promised(t, "nothing leaks", "opens, reads and closes", made)
	m.Unmount()
}
