package mounttest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// tortureVariable is "full" where scripts/torture runs all trials; otherwise a fast
// set of them is run.
const tortureVariable = "ZSYNCFS_TORTURE"

// trials is how many trials of a promise are made.
func trials(fast, full int) int {
	if os.Getenv(tortureVariable) == "full" {
		return full
	}
	return fast
}

// promised prints what scripts/torture makes a table of: how many trials of a promise
// there were. Call it once, whether the test failed or not.
func promised(t *testing.T, promise, what string, made int) {
	t.Helper()
	failures := 0
	if t.Failed() {
		failures = 1 // the test stops at the first, or says how many beside
	}
	t.Logf("torture\t%s\t%s\t%d\t%d", promise, what, made, failures)
}

// tortured are the files that torture tests read: plain ones of several lengths, two
// versions that share most of their blocks, one of zeros with some data between.
var tortured = []string{"a.img", "b-1.0.img", "b-1.1.img", "c.img", "d.bin"}

// tortureFolder makes them in a new folder.
func tortureFolder(t *testing.T) string {
	t.Helper()
	dir := folder(t)
	version := fixture.Random(2<<20, 7)
	next := append([]byte("something new"), version...)
	copy(next[1<<20:], fixture.Random(100_000, 8))
	copy(next[1_500_000:], version[300_000:340_000]) // it has these bytes twice
	sparse := make([]byte, 3<<20+17)
	copy(sparse[1<<20:], fixture.Random(300_000, 9))
	for i, data := range [][]byte{fixture.Random(4<<20+5, 6), version, next, sparse, fixture.Random(70_001, 10)} {
		path := filepath.Join(dir, tortured[i])
		must(t, os.WriteFile(path, data, 0o644))
		must(t, fixture.Make(binary(t), path))
	}
	return dir
}

func torturedPairs(m *daemon.Mount, dir string) (pairs []readcheck.Pair) {
	for _, name := range tortured {
		pairs = append(pairs, readcheck.Pair{Got: m.Path(name), Want: filepath.Join(dir, name)})
	}
	return pairs
}

// oracle begins to read in every way.
func oracle(t *testing.T, pairs []readcheck.Pair, seed uint64) *readcheck.Oracle {
	t.Helper()
	o, err := readcheck.StartOracle(readcheck.OracleOptions{Pairs: pairs, Seed: seed})
	must(t, err)
	t.Cleanup(func() { _, _ = o.Stop(time.Second) })
	return o
}

// end stops an oracle, and fails the test for wrong bytes and for system calls of reads
// that took longer than atMost.
func end(t *testing.T, o *readcheck.Oracle, atMost time.Duration) *readcheck.OracleResult {
	t.Helper()
	r, err := o.Stop(patience)
	must(t, err)
	for _, wrong := range r.Wrong {
		t.Error("wrong bytes: ", wrong)
	}
	if r.SlowestCall > atMost {
		t.Errorf("%s took %v, want at most %v", r.SlowestCallWay, r.SlowestCall, atMost)
	}
	return r
}

// allRight waits until all files can be read. Wrong bytes fail the test at once.
func allRight(t *testing.T, pairs []readcheck.Pair) {
	t.Helper()
	eventually(t, "all files are right again", func() error {
		for _, p := range pairs {
			_ = readcheck.DropPages(p.Got)
			err := readcheck.Whole(p)
			if errors.Is(err, readcheck.ErrWrong) { // no time heals that
				t.Fatalf("%s: %v", p.Got, err)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", filepath.Base(p.Got), err)
			}
		}
		return nil
	})
}
