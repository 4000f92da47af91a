package mounttest

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// crashFiles are what crash tests read, in this order: versions of an image, each of
// which becomes the whole one, and what drives them out of a store of crashStore bytes.
var crashFiles = []string{"i-1.0.img", "i-1.1.img", "i-1.2.img", "out.img", "small.bin"}

const crashStore = 5_000_000

// crashFolder makes them in a new folder.
func crashFolder(t *testing.T) string {
	t.Helper()
	dir := folder(t)
	image := fixture.Random(2<<20+77, 11)
	for i, name := range crashFiles[:3] {
		// 2 % of it are changed, in few places.
		for part := range 4 {
			at := (i*4+part)*len(image)/12 + 1001
			copy(image[at:], fixture.Random(len(image)/200, uint64(i*4+part)+20))
		}
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, image, 0o644))
		date := time.Unix(1_700_000_000+int64(i)*86400, 0)
		must(t, os.Chtimes(path, date, date))
		must(t, fixture.Make(binary(t), path))
	}
	publishIn(t, dir, crashFiles[3], fixture.Random(3<<20+5, 12))
	publishIn(t, dir, crashFiles[4], fixture.Random(70_001, 13))
	return dir
}

// crashLane is one store and one mount point, whose daemon dies again and again.
type crashLane struct {
	t               *testing.T
	program, url    string
	mountDir, cache string
	pairs           []readcheck.Pair
	rng             *rand.Rand
	last            string // how the last daemon died
}

// newCrashLane makes a store that has something in it, in the folder cache; "" is a new
// one.
func newCrashLane(t *testing.T, program, url, dir, cache string) *crashLane {
	t.Helper()
	l := &crashLane{t: t, program: program, url: url, cache: cache, rng: seeded(4)}
	m := daemon.Start(t, l.options())
	l.mountDir, l.cache = m.Dir, m.CacheDir
	for _, name := range crashFiles {
		l.pairs = append(l.pairs, pairOf(m, dir, name))
	}
	allRight(t, l.pairs)
	m.Unmount()
	return l
}

// madeDurable reads files with a daemon that ends in order.
func (l *crashLane) madeDurable(pairs []readcheck.Pair) {
	l.t.Helper()
	m := daemon.Start(l.t, l.options())
	allRight(l.t, pairs)
	m.Unmount()
}

func (l *crashLane) options() daemon.Options {
	return daemon.Options{
		Binary: l.program, Source: l.url, Dir: l.mountDir, CacheDir: l.cache,
		Flags: []string{fmt.Sprint("--cache-size=", crashStore), "--cache-min-free=0", "--refresh=1h", "--read-deadline=4s"},
	}
}

// readers begins to read in every way.
func (l *crashLane) readers(pairs []readcheck.Pair) *readcheck.Oracle {
	l.t.Helper()
	o, err := readcheck.StartOracle(readcheck.OracleOptions{Pairs: pairs, Seed: l.rng.Uint64(), Readers: 1})
	must(l.t, err)
	l.t.Cleanup(func() { _, _ = o.Stop(time.Second) })
	return o
}

// crashSlack is what a store takes beyond its limit for a moment: the control files of
// one checkpoint, one batch that is being moved.
const crashSlack = 2 << 20

// notGrown fails the test when the store takes more than its limit.
func (l *crashLane) notGrown() {
	l.t.Helper()
	eventually(l.t, "the store is within its limit after "+l.last, func() error {
		if n := roomOf(filepath.Join(l.cache, "versions")) + roomOf(filepath.Join(l.cache, "index")); n > crashStore+crashSlack {
			return fmt.Errorf("it takes %d bytes, may take %d", n, crashStore)
		}
		return nil
	})
}

// storeNames are the files that a store has when nothing runs.
var storeNames = regexp.MustCompile(`^(lock|format|daemon\.log|index/log|versions/(p-)?[0-9a-f]{64}/(control|data|known|shared|manifest|shown|place|meta))$`)

// end ends it in order: then the store has what it should, and nothing else.
func (l *crashLane) end() {
	t := l.t
	t.Helper()
	l.madeDurable(l.pairs)
	l.notGrown()
	must(t, filepath.WalkDir(l.cache, func(path string, e fs.DirEntry, err error) error {
		name, _ := filepath.Rel(l.cache, path)
		if err == nil && !e.IsDir() && !storeNames.MatchString(filepath.ToSlash(name)) {
			t.Errorf("%s is left over in the store", name)
		}
		return err
	}))
}
