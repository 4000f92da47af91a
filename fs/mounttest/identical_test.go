package mounttest

import (
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
)

// checkFile does all checks, each with no pages of the file in the kernel.
func checkFile(t *testing.T, p readcheck.Pair) {
	t.Helper()
	for _, c := range readcheck.All {
		if err := c.Run(p); err != nil {
			t.Errorf("%s, %s: %v", filepath.Base(p.Got), c.Name, err)
		}
		if err := readcheck.DropPages(p.Got); err != nil {
			t.Error(err)
		}
	}
}

func TestIdenticalBytes(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	more := func(names ...string) []string { return slices.Concat(names, smallFiles) }
	for _, tt := range []struct {
		server webserver.Kind
		files  []string
	}{
		{webserver.Nginx, more(imageFile, isoFile, qemuFile, oldTar)},
		{webserver.Apache, more(isoFile)},
		{webserver.Lighttpd, more(oldTar)},
		{webserver.Python, smallFiles}, // no ranges: each file is streamed into the store
	} {
		t.Run(string(tt.server), func(t *testing.T) {
			t.Parallel()
			s := webserver.Start(t, tt.server, webserver.Options{Root: dir})
			m := mount(t, s.URL("/"))
			for _, maker := range makers {
				for _, name := range tt.files {
					checkFile(t, readcheck.Pair{
						Got:  m.Path(maker + "/" + name),
						Want: filepath.Join(dir, maker, name),
					})
				}
			}
			m.Unmount()
		})
	}
}

// TestNginxVariants: a listing in JSON, and a server that has ranges switched off.
func TestNginxVariants(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: dir, JSONIndex: true, NoRanges: true})
	m := mount(t, s.URL("/"))
	for _, name := range smallFiles {
		checkFile(t, readcheck.Pair{Got: m.Path("zsyncmake/" + name), Want: filepath.Join(dir, "zsyncmake", name)})
	}
}

// TestOwnServer mounts what "zsyncfs serve" serves, with control files that it makes on demand.
func TestOwnServer(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir, _ := archive(t)
	targets := folder(t)
	for _, name := range smallFiles {
		must(t, link(filepath.Join(dir, "made", name), filepath.Join(targets, name)))
	}
	url := startServe(t, targets)
	m := mount(t, url)
	for _, name := range smallFiles {
		checkFile(t, readcheck.Pair{Got: m.Path(name), Want: filepath.Join(targets, name)})
	}
}

var serveURL = regexp.MustCompile(`http://127\.0\.0\.1:\d+/?`)

// startServe runs "zsyncfs serve dir" until the end of the test and returns the
// URL that it says.
func startServe(t *testing.T, dir string) string {
	t.Helper()
	// Prepared like a mount, so that its process is found and ended.
	p := daemon.New(t, daemon.Options{Binary: binary(t)})
	output := newOutput()
	cmd := p.Command("serve", dir, "--listen", "127.0.0.1:0", "--control-dir", folder(t))
	cmd.Stdout, cmd.Stderr = output, output
	must(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	for deadline := time.After(patience); ; {
		if url := serveURL.FindString(output.String()); url != "" {
			return url
		}
		select {
		case <-ended:
			t.Fatalf("zsyncfs serve ended: %s", output)
		case <-deadline:
			t.Fatalf("zsyncfs serve does not say its URL: %s", output)
		case <-output.more:
		}
	}
}
