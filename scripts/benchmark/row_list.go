package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

var listMetrics = []metric{
	{key: "cold", title: "the first ls -l", unit: "s", lower: true, timed: true, goal: atMost(3)},
	{key: "command", title: "  from the start of the mount command", unit: "s", lower: true},
	{key: "cold-sent", title: "  bytes sent / artifact", unit: "", lower: true},
	{key: "cold-requests", title: "  requests / artifact", unit: "", lower: true},
	{key: "warm", title: "the second ls -l", unit: "s", lower: true, timed: true, goal: atMost(0.3)},
	{key: "warm-requests", title: "  requests", unit: "", lower: true, goal: atMost(0)},
	{key: "again", title: "the first ls -l after a remount", unit: "s", lower: true},
	{key: "again-requests", title: "  requests", unit: "", lower: true},
	{key: "again-files", title: "  of these, listings left out", unit: "", lower: true, goal: atMost(0)},
}

// listArtifacts runs "ls -l" on a folder of many artifacts: right after the
// first mount, once more, and after a new mount with the same cache. The control
// files are only there for zsyncfs: others would list them too.
func listArtifacts(b *bench, t *tool, repetition int) (sample, error) {
	base := b.base(direct) + plainArtifacts
	if t == zsyncfs {
		base = b.base(direct) + artifacts
	}
	cache, err := b.newFolder("cache")
	if err != nil {
		return nil, err
	}
	s, count := sample{}, float64(b.sizes.Artifacts)
	height := b.res.mark()
	var m *mounted
	cold, err := b.logged(func() (err error) {
		if m, err = b.mountWith(t, base, "", cache); err != nil {
			return err
		}
		s["cold"], err = b.list(m.dir, b.sizes.Artifacts, artifactLength)
		s["command"] = time.Since(m.begin).Seconds()
		return err
	})
	if err != nil {
		return nil, err
	}
	warm, err := b.logged(func() (err error) {
		s["warm"], err = b.list(m.dir, b.sizes.Artifacts, artifactLength)
		return err
	})
	if err != nil {
		return nil, err
	}
	b.res.releaseTo(height)
	again, err := b.logged(func() error {
		m, err := b.mountWith(t, base, "", cache)
		if err != nil {
			return err
		}
		s["again"], err = b.list(m.dir, b.sizes.Artifacts, artifactLength)
		return err
	})
	s["cold-sent"], s["cold-requests"] = float64(cold.sent)/count, float64(cold.requests)/count
	s["warm-requests"] = float64(warm.requests)
	s["again-requests"], s["again-files"] = float64(again.requests), float64(again.files)
	return s, err
}

// list is how long "ls -l" of count artifacts takes, in seconds. What it prints is
// checked.
func (b *bench) list(dir string, count int, length int64) (float64, error) {
	cmd := exec.CommandContext(b.ctx, "ls", "-l", dir)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	begin := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(begin)
	if err != nil {
		return 0, fmt.Errorf("ls: %w: %.500s", err, out)
	}
	return took.Seconds(), checkListing(string(out), count, length)
}

// checkListing fails unless the output of "ls -l" has count artifacts, each with
// its name and length, and nothing else.
func checkListing(out string, count int, length int64) error {
	found := 0
	for l := range strings.Lines(out) {
		fields := strings.Fields(l)
		if len(fields) == 2 && fields[0] == "total" {
			continue
		}
		if len(fields) != 9 || found == count || fields[8] != artifactName(found) ||
			fields[4] != strconv.FormatInt(length, 10) {
			return fmt.Errorf("ls says %q", l)
		}
		found++
	}
	if found != count {
		return fmt.Errorf("ls shows %d of %d artifacts", found, count)
	}
	return nil
}
