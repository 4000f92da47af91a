package daemon

import (
	"errors"
	"testing"
	"time"
)

// TestCheckEndsWithDaemon: a check that somebody asked for does not keep the daemon from
// closing its store.
func TestCheckEndsWithDaemon(t *testing.T) {
	srv, _ := publish(t, 64<<20)
	d := newPaged(t, nil)
	d.mounts["/one"] = nil // being made, so that the daemon stays
	if err := d.Pin(t.Context(), srv.URL("/x.zsync")); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := d.Act(t.Context(), "verify", srv.URL("/x.zsync")); err != nil {
		t.Fatal(err)
	}
	whole := time.Since(began)
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := d.Act(t.Context(), "verify", srv.URL("/x.zsync")); err != nil {
				ended <- err
				return
			}
		}
	}()
	time.Sleep(whole / 16)
	began = time.Now()
	d.cancel()
	if err := <-ended; !errors.Is(err, ErrEnding) || time.Since(began) > whole/2 {
		t.Errorf("%v, after %v; a check takes %v", err, time.Since(began), whole)
	}
}
