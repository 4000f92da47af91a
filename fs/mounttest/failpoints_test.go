package mounttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// failpointVariable tells a program that was built with the tag "failpoints" where and
// which time to kill itself.
const failpointVariable = "ZSYNCFS_FAILPOINT"

var buildDeadlyOnce = sync.OnceValues(func() (string, error) { return daemon.BuildWith(base, "failpoints") })

// deadly is the program with its failpoints.
func deadly(t *testing.T) string {
	t.Helper()
	if os.Getenv(daemon.BinaryVariable) != "" {
		t.Skip(daemon.BinaryVariable + " names a program that has no failpoints")
	}
	path, err := buildDeadlyOnce()
	must(t, err)
	return path
}

// failpoints are the names of all failpoints that the source of the block store has.
func failpoints(t *testing.T) (points []string) {
	t.Helper()
	files, err := filepath.Glob("../../blockstore/*.go")
	must(t, err)
	call := regexp.MustCompile(`\bfailpoint\("([^"]+)"\)`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		for _, match := range call.FindAllSubmatch(text, -1) {
			points = append(points, string(match[1]))
		}
	}
	slices.Sort(points)
	if len(points) == 0 || len(slices.Compact(slices.Clone(points))) != len(points) {
		t.Fatalf("no failpoints in the source, or one twice: %q", points)
	}
	return points
}

// TestTortureFailpoints has the daemon die by kill -9 at every failpoint of the store:
// while it writes, makes checkpoints, evicts, moves shared blocks to the newest version,
// and rebuilds the index. Each time the next mount needs no help and reads right, and
// the store does not grow. A point that no daemon comes to fails the test.
func TestTortureFailpoints(t *testing.T) {
	t.Parallel()
	needMount(t)
	program, points := deadly(t), failpoints(t)
	dir := crashFolder(t)
	s := serve(t, dir)
	count := trials(len(points), 29*len(points))
	var made atomic.Int64
	inLanes(t, trials(3, 4), func(t *testing.T, lane, lanes int) {
		l := newCrashLane(t, program, s.URL("/"), dir, "")
		for i := lane; i < count; i += lanes {
			pass := 1 + l.rng.Int64N(int64(trials(1, 5)))
			for tries := 0; !l.dieAt(points[i%len(points)], pass, tries > 0); tries++ {
				if tries == 3 {
					t.Fatalf("no daemon has come to %s", points[i%len(points)])
				}
				pass = 1
				l.startsAgain()
			}
			l.startsAgain()
			made.Add(1)
		}
		l.end()
	})
	promised(t, "crash safe", "kill -9 at failpoints", int(made.Load()))
}

// inLanes runs f for so many daemons at once, at most four.
func inLanes(t *testing.T, lanes int, f func(t *testing.T, lane, lanes int)) {
	t.Helper()
	tests := map[string]func(*testing.T){}
	for lane := range lanes {
		tests[fmt.Sprint("daemon ", lane+1)] = func(t *testing.T) { f(t, lane, lanes) }
	}
	sideBySide(t, tests)
}

// The points that a daemon passes only in some cases: newVersions where versions are new in
// the store; consolidation where the newest becomes the whole one, for which they must
// come in their order and not drive each other out; closedVersions where one that is not
// open is evicted; atStart once when a daemon starts without an index.
var (
	newVersions    = regexp.MustCompile(`^(checkpoint\.(control synced|meta written|named)|promote\..*|manifest\..*)$`)
	consolidation  = regexp.MustCompile(`^gather\..*$`)
	closedVersions = regexp.MustCompile(`^evict\.(set aside|removed)$`)
	atStart        = regexp.MustCompile(`^(recover\.|index\.snapshot ).*$`)
)

// reachPatience is how long a daemon may take to come to a failpoint.
const reachPatience = 15 * time.Second

// dieAt mounts with a daemon that dies when it comes to a failpoint for the pass-th
// time, and reads until it does; with fresh, the store is empty at first. A daemon that
// does not come there is killed; dieAt says no.
func (l *crashLane) dieAt(point string, pass int64, fresh bool) (reached bool) {
	t, o, pairs, readers := l.t, l.options(), l.pairs, l.pairs
	t.Helper()
	switch {
	case atStart.MatchString(point):
		pass = 1
		must(t, os.RemoveAll(filepath.Join(l.cache, "index")))
		// What is left when a version was being removed.
		must(t, os.MkdirAll(filepath.Join(l.cache, "versions", "x-left-over-0", "data"), 0o700))
	case closedVersions.MatchString(point):
		pass = 1
		o.Flags = append(o.Flags, "--cache-size=300000") // less than the control files take
		pairs, readers = l.pairs[:1], l.pairs[:1]
	case consolidation.MatchString(point):
		pass = min(pass, 2)
		pairs, readers = l.pairs[:3], l.pairs[:1]
		o.Flags = append(o.Flags, "--passthrough=off") // nothing is moved out of what the kernel reads
		must(t, os.RemoveAll(filepath.Join(l.cache, "versions")))
		l.madeDurable(l.pairs[:1]) // what is moved away was on the disk
	case fresh, newVersions.MatchString(point):
		pass = min(pass, 3)
		must(t, os.RemoveAll(filepath.Join(l.cache, "versions")))
	}
	o.Environment = []string{failpointVariable + "=" + fmt.Sprint(point, ":", pass)}
	l.last = fmt.Sprintf("failpoint %s: time %d, killed", point, pass)
	m := daemon.New(t, o)
	before := strings.Count(m.Log(), l.last)
	hit := func() bool { return strings.Count(m.Log(), l.last) > before }
	if r := m.Try(); r.Code != 0 && !hit() {
		t.Fatalf("zsyncfs mount, before %s: %v", point, r)
	}
	reading := l.readers(readers)
	died := func() bool { return noProcess(m) == nil }
	for deadline := time.Now().Add(reachPatience); !died(); {
		if time.Now().After(deadline) {
			t.Logf("%s: not reached %d times in %v", point, pass, reachPatience)
			killAll(t, m)
		}
		l.readAll(pairs, died)
	}
	end(t, reading, hang)
	return hit()
}

// readAll reads files once, in order, which evicts and consolidates some; until done says
// so. Only wrong bytes are a failure.
func (l *crashLane) readAll(pairs []readcheck.Pair, done func() bool) {
	l.t.Helper()
	for i, p := range pairs {
		if done() {
			return
		}
		if i > 0 { // some time for what was read to be verified, and to become the whole one
			time.Sleep(time.Duration(l.rng.IntN(50)) * time.Millisecond)
		}
		_ = readcheck.DropPages(p.Got)
		if err := readcheck.Whole(p); errors.Is(err, readcheck.ErrWrong) {
			l.t.Fatalf("%s: %v, before %s", p.Got, err, l.last)
		}
	}
}

// startsAgain mounts without any help, reads all, and ends the daemon by kill -9.
func (l *crashLane) startsAgain() {
	t := l.t
	t.Helper()
	m := daemon.New(t, l.options())
	if r := m.Try(); r.Code != 0 {
		t.Fatalf("zsyncfs mount after %s: %v", l.last, r)
	}
	allRight(t, l.pairs)
	l.notGrown()
	m.Signal(syscall.SIGKILL)
	if t.Failed() {
		t.Fatalf("after %s", l.last)
	}
}

// seeded is a source of random numbers that differs from run to run.
func seeded(n uint64) *rand.Rand { return rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), n)) }
