package mounttest

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
)

// oddControl is a way in which real control files are odd.
type oddControl struct {
	// name is the target's name as the listing has it.
	name string
	edit func(c *fixture.Control)
	// stored is where the target lies; "" is beside the control file, by name.
	stored string
	// control is where the control file lies when it is behind a redirect.
	control string
}

var oddControls = []oddControl{
	{name: "a name with spaces.img", edit: func(c *fixture.Control) { c.Set("URL", "a name with spaces.img") }},
	{name: "spaces.img", stored: "in a folder/the target.img", edit: func(c *fixture.Control) {
		c.Set("URL", "in a folder/the target.img")
	}},
	{name: "third.img", edit: func(c *fixture.Control) { c.Set("URL", "renamed-since.img") }},
	{name: "nourl.img", edit: func(c *fixture.Control) { c.Remove("URL") }},
	{name: "moved.img", stored: "real/moved.img", control: "real/moved.img.zsync"},
	{name: "target-moved.img", stored: "real/elsewhere.bin", edit: func(c *fixture.Control) {
		c.Set("URL", "target-moved.img")
	}},
	{name: "sorted.img", edit: func(c *fixture.Control) {
		slices.Sort(c.Lines)
		if last := len(c.Lines) - 1; !strings.HasPrefix(c.Lines[last], "zsync: ") {
			panic("zsync is not the last header")
		}
	}},
	{name: "crlf.img", edit: func(c *fixture.Control) { c.End = "\r\n" }},
	{name: "nofilename.img", edit: func(c *fixture.Control) {
		c.Remove("Filename")
		c.Remove("MTime")
	}},
	{name: "mirrorcache.img", edit: func(c *fixture.Control) { c.Set("MTime", "1700000000") }},
}

// make writes the case's files into dir and returns the target's path.
func (o oddControl) make(t *testing.T, dir string) string {
	t.Helper()
	at := func(name, otherwise string) string {
		if name == "" {
			name = otherwise
		}
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		return path
	}
	made := filepath.Join(folder(t), o.name)
	must(t, os.WriteFile(made, fixture.Random(300_001, uint64(len(o.name))), 0o644))
	must(t, fixture.Zsyncmake(made))
	c, err := fixture.ReadControl(made + ".zsync")
	must(t, err)
	if o.edit != nil {
		o.edit(c)
	}
	target := at(o.stored, o.name)
	must(t, os.Rename(made, target))
	must(t, c.Write(at(o.control, o.name+".zsync")))
	if o.control != "" {
		// The listing has a name that the server then redirects.
		must(t, os.WriteFile(filepath.Join(dir, o.name+".zsync"), []byte("not this"), 0o644))
	}
	return target
}

func TestOddControlFiles(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	targets := map[string]string{}
	for _, o := range oddControls {
		targets[o.name] = o.make(t, dir)
	}
	s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: dir, Redirects: map[string]string{
		"/moved.img.zsync":  "/hop.img.zsync",
		"/hop.img.zsync":    "/real/moved.img.zsync",
		"/target-moved.img": "/real/elsewhere.bin",
	}})
	m := mount(t, s.URL("/"))
	for _, o := range oddControls {
		if err := readcheck.Whole(readcheck.Pair{Got: m.Path(o.name), Want: targets[o.name]}); err != nil {
			t.Errorf("%s: %v", o.name, err)
		}
	}
}

func TestBasicAuth(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	const user, password = "reader", "pa:ss-word"
	netrc := filepath.Join(folder(t), "netrc")
	must(t, os.WriteFile(netrc, []byte("machine 127.0.0.1\nlogin "+user+"\npassword "+password+"\n"), 0o600))
	for _, kind := range []webserver.Kind{webserver.Nginx, webserver.Apache} {
		t.Run(string(kind), func(t *testing.T) {
			s := webserver.Start(t, kind, webserver.Options{Root: dir, User: user, Password: password})
			for name, flags := range map[string][]string{
				"user": {"--user", user + ":" + password}, "netrc": {"--netrc", netrc},
			} {
				t.Run(name, func(t *testing.T) {
					m := mount(t, s.URL("/made/"), flags...)
					pair := readcheck.Pair{Got: m.Path(textFile), Want: filepath.Join(dir, "made", textFile)}
					if err := readcheck.Whole(pair); err != nil {
						t.Error(err)
					}
					if strings.Contains(m.Log(), password) {
						t.Error("the log has the password")
					}
				})
			}
			for name, flags := range map[string][]string{"none": nil, "wrong": {"--user", user + ":no"}} {
				t.Run(name, func(t *testing.T) {
					refused(t, daemon.Options{Binary: binary(t), Source: s.URL("/made/"), Flags: flags}, "401")
				})
			}
		})
	}
}

// refused wants a mount to fail with an error that has this text, with a hint,
// and to leave nothing behind.
func refused(t *testing.T, o daemon.Options, text string) {
	t.Helper()
	m := daemon.New(t, o)
	r := m.Try()
	if r.Code == 0 || !strings.Contains(r.Errors, "zsyncfs: error: ") || !strings.Contains(r.Errors, "zsyncfs: hint: ") ||
		!strings.Contains(r.Errors, text) {
		t.Errorf("want an error that says %q and a hint, got %v", text, r)
	}
	if daemon.Mounted(m.Dir) {
		t.Error("a mount is left")
	}
	eventually(t, "no daemon is left", func() error { return noProcess(m) })
}

// TestEscapedSource: the source's own URL has escapes, and no slash at its end.
func TestEscapedSource(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	sub := filepath.Join(dir, "ä b%20c")
	must(t, os.Mkdir(sub, 0o755))
	target := oddControls[0].make(t, sub)
	s := serve(t, dir)
	m := mount(t, s.URL("/"+url.PathEscape(filepath.Base(sub))))
	if err := readcheck.Whole(readcheck.Pair{Got: m.Path(filepath.Base(target)), Want: target}); err != nil {
		t.Error(err)
	}
}

// TestSameHeaderOtherRecords: two artifacts have the same header to the byte and
// different content and records. Whoever publishes the first must neither give
// its bytes to the second nor make the second unreadable, in one store.
func TestSameHeaderOtherRecords(t *testing.T) {
	t.Parallel()
	needMount(t)
	const length = 1<<20 + 1
	root := folder(t)
	var paths []string
	var honest *fixture.Control
	for i, name := range []string{"honest", "forged", "useless"} {
		path := filepath.Join(root, name, "t.img")
		must(t, os.Mkdir(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, fixture.Random(length, uint64(i)), 0o644))
		must(t, fixture.Zsyncmake(path))
		c, err := fixture.ReadControl(path + ".zsync")
		must(t, err)
		if i == 0 {
			honest = c
		}
		c.Lines = honest.Lines
		if name == "useless" { // the honest content, records that nothing matches
			c.Records = make([]byte, len(honest.Records))
		}
		must(t, c.Write(path+".zsync"))
		paths = append(paths, path)
	}
	for _, other := range paths[1:] {
		name := filepath.Base(filepath.Dir(other))
		t.Run(name, func(t *testing.T) {
			// Different ports: different origins.
			m := mount(t, serve(t, filepath.Dir(other)).URL("/"), "--read-deadline", "3s")
			if _, err := readcheck.DirectAt(m.Path("t.img"), 0, 512<<10); err != nil && name == "forged" {
				t.Errorf("the forged artifact's first blocks match its own records: %v", err)
			}
			second := daemon.Start(t, daemon.Options{
				Binary: binary(t), Source: serve(t, filepath.Dir(paths[0])).URL("/"), CacheDir: m.CacheDir,
			})
			if err := readcheck.Whole(readcheck.Pair{Got: second.Path("t.img"), Want: paths[0]}); err != nil {
				t.Errorf("the honest artifact: %v", err)
			}
		})
	}
}
