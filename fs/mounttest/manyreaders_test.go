package mounttest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/faulty"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// What the client's backoff is made of: connections, of which as many tries may be under
// way when the server falls sick, and the shortest slot, which doubles.
const (
	mostConnections = 8
	shortestSlot    = 150 * time.Millisecond * 3 / 4
)

// TestTortureStuckManyReaders: a thousand readers, of places of their own and of one
// page, get EIO in time, and the server is asked once in each slot of the backoff.
// Who reads what is here goes on.
func TestTortureStuckManyReaders(t *testing.T) {
	t.Parallel()
	needMount(t)
	const readers = 1000
	dir := folder(t)
	const length = 256 << 20
	image := filepath.Join(dir, stuckFile)
	must(t, fixture.Sparse(image, length, 3))
	local := filepath.Join(dir, localFile)
	must(t, os.WriteFile(local, fixture.Random(8<<20, 4), 0o644))
	must(t, fixture.Make(binary(t), image, local))
	sick := faulty.Named("503")
	made := trials(1, 5)
	for trial := range made {
		server := faulty.Start(t, serve(t, dir).URL(""), uint64(trial))
		m := mount(t, server.URL("/"), "--read-deadline", stuckDeadline.String(), "--refresh=1s", "--passthrough=off")
		s := &stuckMount{stage: &stage{url: server.URL("/")}, t: t, dir: dir, m: m, other: m}
		must(t, readcheck.Whole(pairOf(m, dir, localFile)))
		must(t, pread(s.open(stuckFile, 0), 0, 4096)) // the header and a block
		server.Break(1, sick)
		stop, ended := make(chan struct{}), make(chan error, 1)
		var calls []call
		for i := range readers {
			fd := s.open(stuckFile, 0)
			name, place := "pread of a page that others want", int64(length)/8*7
			if i%2 == 0 {
				name, place = "pread of a place of its own", int64(i+1)*(length/8*6)/readers&^4095
			}
			calls = append(calls, call{name, true, func() error { return pread(fd, place, 4096) }})
		}
		began := time.Now()
		go func() { ended <- s.goOn(stop) }()
		s.inTime(calls)
		close(stop)
		if err := within(t, "another reader", func() error { return <-ended }); err != nil {
			t.Error(err)
		}
		slots := 0
		for at := time.Duration(0); at < time.Since(began); slots++ {
			at += shortestSlot << slots
		}
		refused, _ := server.Hits()
		tries := refused[sick.Name]
		t.Logf("trial %d: %d readers made %d tries in %v, at most %d slots", trial, readers, tries, time.Since(began), slots)
		if most := int64(mostConnections + slots); tries > most || tries == 0 {
			t.Errorf("%d tries, want 1 to %d", tries, most)
		}
		server.Break(0)
		eventually(t, "reads go on", func() error {
			fd, err := unix.Open(m.Path(stuckFile), unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return pread(fd, length-4096, 4096)
		})
		m.Unmount()
		if t.Failed() {
			break
		}
	}
	promised(t, "never stuck", "1000 readers", made)
}
