package mounttest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// TestLongHeaders looks up artifacts whose control files have headers of 60 KB: what the
// daemon keeps for the names that the kernel knows does not grow with their number.
func TestLongHeaders(t *testing.T) {
	t.Parallel()
	needMount(t)
	needRoot(t) // to have names forgotten
	const names, most = 1500, 40 << 20
	header, records, _ := strings.Cut(string(newRestless(t).control), "\n\n")
	for i := 0; len(header) < 60_000; i++ {
		header += fmt.Sprintf("\nURL: content-%d-%s", i, strings.Repeat("x", 1000))
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			_, _ = io.WriteString(w, header+"\n\n"+records)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		for i := range names {
			fmt.Fprintf(w, "<a href=\"%d.zsync\">x</a>\n", i)
		}
	}))
	t.Cleanup(s.Close)
	w := watch(t, s.URL+"/", "--refresh=1h")
	entries, err := os.ReadDir(w.m.Dir)
	must(t, err)
	for _, e := range entries {
		_, err := e.Info()
		must(t, err)
	}
	known := w.now()
	forgetNames(t, w.m)
	eventually(t, "names are forgotten", func() error {
		if now := w.now(); now.Objects >= known.Objects {
			return fmt.Errorf("%d objects, as many as before", now.Objects)
		}
		return nil
	})
	n := known.Heap - w.now().Heap
	t.Logf("known: %v; %d MiB for the names that the kernel knew", known, n>>20)
	if n > most {
		t.Errorf("the daemon kept %d MiB for %d names, want at most %d", n>>20, names, int64(most)>>20)
	}
	w.m.Unmount()
}
