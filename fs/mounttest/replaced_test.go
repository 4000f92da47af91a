package mounttest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/versions"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
)

// readings collects what readers say, and judges it.
type readings struct {
	t         *testing.T
	publisher *versions.Publisher
	more      chan struct{} // has an element when there was one more

	mu     sync.Mutex
	counts map[versions.Kind]map[versions.Outcome]int // guarded by mu
	newest map[versions.Kind]int                      // guarded by mu: read as a whole
	shown  int                                        // guarded by mu: errors so far
}

func newReadings(t *testing.T, p *versions.Publisher) *readings {
	return &readings{
		t: t, publisher: p, more: make(chan struct{}, 1),
		counts: map[versions.Kind]map[versions.Outcome]int{}, newest: map[versions.Kind]int{},
	}
}

// tell takes in what a reader says.
func (r *readings) tell(kind versions.Kind, one versions.Reading) {
	gone := r.publisher.Gone(one.Version)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts[kind] == nil {
		r.counts[kind] = map[versions.Outcome]int{}
	}
	r.counts[kind][one.Outcome]++
	switch one.Outcome {
	case versions.Whole:
		r.newest[kind] = max(r.newest[kind], one.Version)
	case versions.Stale:
		if !gone {
			r.fault("%s: version %d is on the server, but: %s", kind, one.Version, one.Text)
		}
	default:
		r.fault("%s: version %d: %s: %s", kind, one.Version, one.Outcome, one.Text)
	}
	select {
	case r.more <- struct{}{}:
	default:
	}
}

// fault fails the test; mu is held.
func (r *readings) fault(format string, args ...any) {
	if r.shown++; r.shown <= 10 {
		r.t.Errorf(format, args...)
	}
}

// all is nil when readers of every kind have read this version.
func (r *readings) all(version int, kinds []versions.Kind) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, kind := range kinds {
		if r.newest[kind] < version {
			return fmt.Errorf("%s has read version %d, not %d; all: %v", kind, r.newest[kind], version, r.counts)
		}
	}
	return nil
}

// TestReplaced: 1,000 replacements of an artifact under its name, while it is
// read in several ways. The other servers make other validators, or know no ranges.
func TestReplaced(t *testing.T) {
	t.Parallel()
	needMount(t)
	for _, tt := range []struct {
		server webserver.Kind
		count  int
	}{{webserver.Nginx, 1000}, {webserver.Apache, 100}, {webserver.Lighttpd, 100}, {webserver.Python, 100}} {
		t.Run(string(tt.server), func(t *testing.T) {
			t.Parallel()
			replaced(t, tt.server, tt.count)
		})
	}
}

func replaced(t *testing.T, kind webserver.Kind, count int) {
	const name, most = "image.bin", 20 * time.Millisecond
	kinds := []versions.Kind{versions.Pread, versions.Mmap, versions.Held}
	dir := folder(t)
	p := versions.NewPublisher(dir, folder(t), name)
	must(t, p.Publish(1, true, func() {}))
	s := webserver.Start(t, kind, webserver.Options{Root: dir})
	m := mount(t, s.URL("/"), "--refresh", "20ms")
	r := newReadings(t, p)
	var stops []func()
	for _, kind := range kinds {
		stops = append(stops, versions.Start(t, m.Path(name), kind, r.tell))
	}
	eventually(t, "every reader reads", func() error { return r.all(1, kinds) })
	for version := 2; version <= count && !t.Failed(); version++ {
		must(t, p.Publish(version, version%2 == 0, func() { r.wait(window(version)) }))
		r.wait(most)
	}
	eventually(t, "every reader sees the last version", func() error { return r.all(count, kinds) })
	for _, stop := range stops {
		stop()
	}
	t.Logf("%v", r.counts)
	unmount(t, m)
}

// window is how long one part of a version stands with the other part of the one
// before: now and then long enough to be met by every reader.
func window(version int) time.Duration {
	switch {
	case version%100 == 0, version%100 == 51:
		return 300 * time.Millisecond
	case version%3 == 0:
		return 5 * time.Millisecond
	}
	return 0
}

// wait waits for the next reading, but not longer than most.
func (r *readings) wait(most time.Duration) {
	select {
	case <-r.more:
	default:
	}
	if most == 0 {
		return
	}
	select {
	case <-r.more:
	case <-time.After(most):
	}
}

// unmount takes the mount away when the readers' files are closed.
func unmount(t *testing.T, m *daemon.Mount) {
	t.Helper()
	if t.Failed() {
		return // the cleaning-up does it by force
	}
	m.Unmount()
}
