package mounttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/versions"
)

// churn is an archive in which artifacts are replaced all the time, beside others that
// stay as they are.
type churn struct {
	t       *testing.T
	dir     string
	changes []*versions.Publisher
	version int      // the last that was published
	stay    []string // names
	rng     *rand.Rand
}

func newChurn(t *testing.T, change, stay int) *churn {
	t.Helper()
	c := &churn{t: t, dir: folder(t), rng: rand.New(rand.NewPCG(1, 2))}
	staging := folder(t)
	for i := range change {
		c.changes = append(c.changes, versions.NewPublisher(c.dir, staging, changing(i)))
		c.replace(i)
	}
	var paths []string
	for i := range stay {
		name := fmt.Sprintf("stays-%d", i)
		path := filepath.Join(c.dir, name)
		must(t, os.WriteFile(path, fixture.Random(1+c.rng.IntN(400_000), uint64(i)), 0o644))
		c.stay, paths = append(c.stay, name), append(paths, path)
	}
	must(t, fixture.Make(binary(t), paths...))
	return c
}

func changing(i int) string { return fmt.Sprintf("changes-%d", i) }

// replace puts the next version in place of changing(i).
func (c *churn) replace(i int) {
	c.t.Helper()
	c.version = c.version%(1<<14-1) + 1
	must(c.t, c.changes[i].Publish(c.version, c.version%2 == 0, func() {}))
}

// pairs are the artifacts that stay, in m.
func (c *churn) pairs(m *daemon.Mount) (out []readcheck.Pair) {
	for _, name := range c.stay {
		out = append(out, pairOf(m, c.dir, name))
	}
	return out
}

// open opens an artifact that changes, reads some of it, and closes it. What it read must
// be of one version; that it was replaced meanwhile, or that the server does what it
// should not, is an error that is right.
func (c *churn) open(m *daemon.Mount, rng *rand.Rand) error {
	f, err := os.Open(m.Path(changing(rng.IntN(len(c.changes)))))
	if err != nil {
		return passing(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return passing(err)
	}
	p, off := make([]byte, 8<<10), rng.Int64N(info.Size())
	n, err := f.ReadAt(p, off)
	if n >= 16 {
		if _, err := versions.Identify(p[:n], off); err != nil {
			return fmt.Errorf("%s at %d: %w", f.Name(), off, err)
		}
	}
	return passing(err)
}

// passing is err but for what a reader gets while files are replaced and servers fail.
func passing(err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) || errno == unix.EIO || errno == unix.ESTALE || errno == unix.ENOENT || errno == unix.EACCES {
		return nil
	}
	return err
}

// killed reads what stays in every way for a while, and is killed in the midst of it.
func (c *churn) killed(m *daemon.Mount, after time.Duration) {
	c.t.Helper()
	o, err := readcheck.StartOracle(readcheck.OracleOptions{Pairs: c.pairs(m), Seed: c.rng.Uint64()})
	must(c.t, err)
	time.Sleep(after)
	must(c.t, syscall.Kill(o.PID(), syscall.SIGKILL))
	_, _ = o.Stop(patience) // it cannot say anything any more
}
