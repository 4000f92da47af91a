package mounttest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// TestChangeBesideSlowLookUp: an artifact is replaced while the look-up of another one in
// its directory waits for the server. That keeps nobody from the new version, and a
// daemon that is killed meanwhile ends: the kernel has no notice of it that waits for an
// answer which would never come.
func TestChangeBesideSlowLookUp(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	publishIn(t, dir, "a.img", fixture.Random(100_000, 1))
	publishIn(t, dir, "slow.img", fixture.Random(50_000, 2))
	asked, answer := make(chan struct{}, 100), make(chan struct{})
	files := http.FileServer(http.Dir(dir))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow.img.zsync" && !dribbles(w, r, asked, answer) {
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	flags := []string{"--refresh=1s", "--read-deadline=10m"}
	m := mount(t, s.URL+"/", flags...)
	if _, err := os.Stat(m.Path("a.img")); err != nil {
		t.Fatal(err)
	}
	first, waiting := exec.Command("stat", m.Path("slow.img")), exec.Command("stat", m.Path("slow.img"))
	must(t, first.Start())
	<-asked
	must(t, waiting.Start())
	eventually(t, "both wait", func() error { return sleeps(waiting.Process.Pid) })

	for n := 110_000; n < 140_000; n += 10_000 {
		publishIn(t, dir, "a.img", fixture.Random(n, uint64(n)))
		if n == 120_000 { // the kernel has the other one ask
			must(t, first.Process.Kill())
			_ = within(t, "a killed look-up", first.Wait)
		}
		must(t, within(t, "the new version is there", func() error {
			eventually(t, "the new version is seen", func() error {
				info, err := os.Stat(m.Path("a.img"))
				if err == nil && info.Size() != int64(n) {
					err = fmt.Errorf("%d bytes", info.Size())
				}
				return err
			})
			return nil
		}))
	}
	m.Signal(syscall.SIGKILL)
	if err := within(t, "a look-up whose daemon was killed", waiting.Wait); err == nil {
		t.Error("a name that the server never told of could be looked up")
	}
	close(answer)
	m = again(t, m, s.URL+"/", flags...)
	for _, name := range []string{"a.img", "slow.img"} {
		must(t, readcheck.Whole(pairOf(m, dir, name)))
	}
	m.Unmount()
}

// sleeps is nil when a process waits for something in the kernel.
func sleeps(pid int) error {
	w, err := waitsIn(pid)
	if err == nil && (w == "" || w == "0") {
		err = fmt.Errorf("process %d runs", pid)
	}
	return err
}

// dribbles brings as much of an answer every second as it takes to be waited for, until
// answer is closed; true when it was closed before.
func dribbles(w http.ResponseWriter, r *http.Request, asked chan<- struct{}, answer <-chan struct{}) bool {
	for first := true; ; first = false {
		select {
		case <-answer:
			return first
		case <-r.Context().Done():
			return false
		default:
		}
		if _, err := w.Write(bytes.Repeat([]byte("z"), 200)); err != nil {
			return false
		}
		_ = http.NewResponseController(w).Flush()
		if first {
			asked <- struct{}{}
		}
		time.Sleep(time.Second)
	}
}
