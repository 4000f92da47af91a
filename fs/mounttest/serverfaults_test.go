package mounttest

import (
	"fmt"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/faulty"
)

// tortureDeadline is the read deadline of torture tests, and tortureSlack what a system
// call of a read may take beyond: a second of the promise, and as much as a busy machine
// and the race detector need. A second wait for the deadline is longer.
const tortureDeadline, tortureSlack = 4 * time.Second, 12 * time.Second

// smallStore keeps less than the files are, so that blocks are fetched again and again.
const smallStore = "--cache-size=3000000"

// TestTortureServer reads while the server does something wrong to its replies: one
// kind of fault after the other to a third of them, then all kinds to one in a hundred.
func TestTortureServer(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := tortureFolder(t)
	s := serve(t, dir)
	p := faulty.Start(t, s.URL(""), 1)
	flags := []string{smallStore, "--refresh=1s", "--read-deadline=" + tortureDeadline.String()}
	m := mount(t, p.URL("/"), flags...)
	pid := m.PID()
	pairs := torturedPairs(m, dir)
	made := 0
	for i, kind := range faulty.Kinds() {
		before, _ := p.Hits()
		o := oracle(t, pairs, uint64(i))
		p.Break(0.3, kind)
		eventually(t, fmt.Sprintf("%s: replies are hit", kind.Name), func() error {
			if now, total := p.Hits(); now[kind.Name] < before[kind.Name]+int64(trials(8, 50)) {
				return fmt.Errorf("%d of %d replies", now[kind.Name]-before[kind.Name], total)
			}
			return nil
		})
		p.Break(0)
		r := end(t, o, tortureDeadline+tortureSlack)
		now, _ := p.Hits()
		made += int(now[kind.Name] - before[kind.Name])
		t.Logf("%s: %d replies hit, %d of %d reads failed, the slowest took %v (%s; one call %v, %s): %v", kind.Name, now[kind.Name]-before[kind.Name], r.Failed, r.Reads, r.Slowest, r.SlowestWay, r.SlowestCall, r.SlowestCallWay, r.Errors)
		if kind.Name == faulty.NoRanges { // the other kinds are about ranges
			m.Unmount()
			m = again(t, m, p.URL("/"), flags...)
			pid = m.PID()
		}
		if r.Failed == r.Reads {
			t.Errorf("%s: no read came to anything: %v", kind.Name, r.Errors)
		}
		if t.Failed() {
			t.Fatalf("%s: %v", kind.Name, r.Errors)
		}
	}
	allRight(t, pairs)

	o := oracle(t, pairs, 1000)
	p.Break(0.01, faulty.Kinds()...)
	_, before := p.Hits()
	for want := before + int64(trials(500, 20_000)); before < want; {
		eventually(t, "replies go on", func() error {
			_, total := p.Hits()
			if total < min(before+100, want) {
				return fmt.Errorf("%d replies", total)
			}
			before = total
			return nil
		})
	}
	p.Break(0)
	r := end(t, o, tortureDeadline+tortureSlack)
	t.Logf("1 %%: %d of %d reads failed, by way %v: %v", r.Failed, r.Reads, r.Ways, r.Errors)
	allRight(t, pairs)
	if now := m.PID(); now != pid {
		t.Errorf("the daemon changed from %d to %d", pid, now)
	}
	if n, err := daemon.PeakMemory(pid); err == nil {
		t.Logf("the daemon took %d MiB at its peak, with the race detector", n>>20)
	}
	promised(t, "right bytes or an error", "broken replies", made)
	m.Unmount()
}
