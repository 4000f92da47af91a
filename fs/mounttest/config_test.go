package mounttest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// configured is a configuration file that a test writes, and a mount's commands with it.
type configured struct {
	t    *testing.T
	path string
	*daemon.Mount
}

func newConfigured(t *testing.T, dir string) *configured {
	t.Helper()
	path := filepath.Join(folder(t), "config.toml")
	return &configured{t, path, daemon.New(t, daemon.Options{
		Binary: binary(t), Dir: dir, Environment: []string{"ZSYNCFS_CONFIG=" + path},
	})}
}

func (c *configured) write(lines ...string) {
	c.t.Helper()
	text := fmt.Sprintf("cache-dir = %q\n", c.CacheDir) + strings.Join(lines, "\n") + "\n"
	must(c.t, os.WriteFile(c.path, []byte(text), 0o600))
}

// run runs a command of the program, which must succeed.
func (c *configured) run(args ...string) string {
	c.t.Helper()
	r := daemon.Command(c.t, c.Command(args...))
	if r.Code != 0 {
		c.t.Fatalf("zsyncfs %v: %v", args, r)
	}
	return r.Output
}

// limitRate is what the daemon says of the limit of the mount on dir.
func (c *configured) limitRate(dir string) int64 {
	c.t.Helper()
	var s struct {
		Mounts []struct {
			Dir       string `json:"dir"`
			LimitRate int64  `json:"limit_rate"`
		} `json:"mounts"`
	}
	must(c.t, json.Unmarshal([]byte(c.run("status", "--json")), &s))
	for _, m := range s.Mounts {
		if m.Dir == dir {
			return m.LimitRate
		}
	}
	c.t.Fatalf("%s is not in the status", dir)
	return 0
}

// TestNamedArchives: archives of the configuration file are mounted and unmounted by
// their names, one or all, on mount points that are made for them.
func TestNamedArchives(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	want := filepath.Join(dir, "a", "t.img")
	must(t, os.MkdirAll(filepath.Join(dir, "a"), 0o755))
	must(t, os.MkdirAll(filepath.Join(dir, "b"), 0o755))
	publishIn(t, filepath.Join(dir, "a"), "t.img", fixture.Random(300_000, 1))
	publishIn(t, filepath.Join(dir, "b"), "t.img", fixture.Random(300_000, 2))
	s := serve(t, dir)
	mnt := folder(t)
	first, second := filepath.Join(mnt, "deep", "first"), filepath.Join(mnt, "second")
	c := newConfigured(t, first)
	c.write("refresh = '5m'", "[archive.first]", "source = '"+s.URL("/a/")+"'", "mount-point = '"+first+"'",
		"[archive.second]", "source = '"+s.URL("/b/")+"'", "mount-point = '"+second+"'", "limit-rate = '5M'")
	c.run("mount", "first")
	if err := readcheck.Whole(readcheck.Pair{Got: filepath.Join(first, "t.img"), Want: want}); err != nil {
		t.Error(err)
	}
	if r := daemon.Command(t, c.Command("mount", "--all")); r.Code != 10 || !daemon.Mounted(second) || !strings.Contains(r.Errors, "is mounted already") {
		t.Errorf("mount --all beside one that is there: %v", r)
	}
	if n := c.limitRate(second); n != 5<<20 {
		t.Errorf("limit of the second: %d", n)
	}
	if n := c.limitRate(first); n != 0 {
		t.Errorf("limit of the first: %d", n)
	}
	c.run("umount", "first", "second")
	if daemon.Mounted(first) || daemon.Mounted(second) {
		t.Error("still mounted")
	}
	c.run("mount", "second", "--limit-rate=0", first)
	if n := c.limitRate(first); n != 0 {
		t.Errorf("what was typed does not go before the file: %d", n)
	}
	c.run("umount", first)
}

// TestReload: on SIGHUP mounts become as the file says, without being unmounted and with
// their files open; what cannot be changed is told, and a broken file changes nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	content := fixture.Random(3_000_000, 3)
	publishIn(t, dir, "t.img", content)
	s := serve(t, dir)
	mnt := folder(t)
	c := newConfigured(t, mnt)
	archive := []string{"[archive.a]", "source = '" + s.URL("/") + "'", "mount-point = '" + mnt + "'"}
	c.write(append(archive, "refresh = '1h'", "fill = 'off'")...)
	c.run("mount", "a")
	open, err := os.Open(filepath.Join(mnt, "t.img"))
	must(t, err)
	defer open.Close()
	head := make([]byte, 1000)
	_, err = open.ReadAt(head, 0)
	must(t, err)
	pid := c.PID()
	reload := func(told string) {
		t.Helper()
		before := strings.Count(c.Log(), told)
		must(t, syscall.Kill(pid, syscall.SIGHUP))
		eventually(t, told, func() error {
			if strings.Count(c.Log(), told) <= before {
				return fmt.Errorf("the log does not tell it: %s", c.Log())
			}
			return nil
		})
	}

	c.write(append(archive, "refresh = 'often'", "limit-rate = '1M'")...)
	reload("the configuration stays as it was: ")
	if !strings.Contains(c.Log(), c.path+":5:1: refresh:") || c.limitRate(mnt) != 0 {
		t.Errorf("a broken file: limit %d, %s", c.limitRate(mnt), c.Log())
	}

	// A new version, which an hour's refresh does not look for.
	newer := fixture.Random(2_900_000, 4)
	publishIn(t, dir, "t.img", newer)
	c.write(append(archive, "refresh = '1s'", "limit-rate = '50M'", "umask = '022'", "fill = 'off'", "cache-size = '1G'")...)
	reload("configuration reloaded")
	if !strings.Contains(c.Log(), "umask has changed, which takes an unmount") {
		t.Errorf("nothing is told of the umask: %s", c.Log())
	}
	if n := c.limitRate(mnt); n != 50<<20 {
		t.Errorf("limit %d", n)
	}
	if text := c.run("status", "--json"); !strings.Contains(text, `"limit": 1073741824`) {
		t.Errorf("the store's limit is not 1 GiB: %s", text)
	}
	eventually(t, "the new version", func() error {
		info, err := os.Stat(filepath.Join(mnt, "t.img"))
		if err == nil && info.Size() != int64(len(newer)) {
			err = fmt.Errorf("%d bytes", info.Size())
		}
		return err
	})
	if err := readcheck.Whole(readcheck.Pair{Got: filepath.Join(mnt, "t.img"), Want: filepath.Join(dir, "t.img")}); err != nil {
		t.Error(err)
	}
	if _, err := open.ReadAt(head, 0); err != nil || string(head) != string(content[:1000]) {
		t.Errorf("the file that was open: %v", err)
	}
	if c.PID() != pid {
		t.Error("another daemon")
	}

	c.write("[archive.b]", "source = '"+s.URL("/")+"'", "mount-point = '/nowhere'")
	reload("it stays mounted as it was")
	if !daemon.Mounted(mnt) {
		t.Error("unmounted")
	}
	open.Close()
	c.Unmount()
}
