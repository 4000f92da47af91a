package mounttest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
)

// TestEndlessListings: the listings of several directories have no end, and come fast.
// They are given up one after the other, not held in memory side by side.
func TestEndlessListings(t *testing.T) {
	t.Parallel()
	needMount(t)
	const dirs = 6
	var ended atomic.Int64
	line := bytes.Repeat([]byte(`<a href="some-name.iso.zsync">some-name.iso.zsync</a><br>`+"\n"), 4096)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/" {
			for i := range dirs {
				fmt.Fprintf(w, "<a href=\"d%d/\">d%d/</a>\n", i, i)
			}
			return
		}
		if !strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		for sent := 0; ; sent += len(line) {
			if _, err := w.Write(line); err != nil {
				if sent >= 32<<20 { // it was given up for its length
					ended.Add(1)
				}
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	// Not the race detector's program: it takes several times the memory.
	program, err := daemon.Build(folder(t), false)
	must(t, err)
	m := daemon.Start(t, daemon.Options{Binary: program, Source: s.URL + "/", Flags: []string{"--read-deadline", "3s", "--refresh", "1s"}})
	var all sync.WaitGroup
	for i := range dirs {
		all.Go(func() {
			eventually(t, "listings without an end are given up", func() error {
				if _, err := os.ReadDir(m.Path(fmt.Sprintf("d%d", i))); err == nil {
					return fmt.Errorf("directory %d can be listed", i)
				}
				if n := ended.Load(); n < dirs {
					return fmt.Errorf("%d of %d", n, dirs)
				}
				return nil
			})
		})
	}
	all.Wait()
	n, err := daemon.PeakMemory(m.PID())
	if err != nil || n > maxMemory {
		t.Errorf("the daemon took %d MiB at its peak, want at most %d; %v", n>>20, maxMemory>>20, err)
	}
	t.Logf("the daemon took %d MiB at its peak", n>>20)
	m.Unmount()
}
