package daemon

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// stopped is a client that asks for source and then does nothing any more, as
// one that SIGSTOP stopped.
func stopped(t *testing.T, store, source string) {
	t.Helper()
	dir, err := os.Open(store)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	c, err := net.Dial("unix", byDescriptor(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	spec, err := json.Marshal(GetSpec{Source: source, NoFile: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c, "POST /v1/get HTTP/1.1\r\nHost: daemon\r\nContent-Length: %d\r\n\r\n%s", len(spec), spec); err != nil {
		t.Fatal(err)
	}
}

// TestStoppedClients: whether its work goes on or is done, a client that reads
// nothing does not keep the daemon from ending with its last mount.
func TestStoppedClients(t *testing.T) {
	for name, stall := range map[string]bool{"at work": true, "answered": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, _ := publish(t, 1<<20)
			if stall {
				srv.Add(rangetest.Rule{Path: "/x", Fault: rangetest.Stall, After: 300_000})
			}
			store := t.TempDir()
			d := newDaemon(t, store)
			d.mu.Lock()
			d.served, d.mounts["/m"] = true, nil
			d.mu.Unlock()
			stopped(t, store, srv.URL("/x.zsync"))
			for srv.Count("/x") == 0 {
				time.Sleep(time.Millisecond)
			}
			d.mu.Lock()
			delete(d.mounts, "/m") // the last unmount
			d.settle()
			d.mu.Unlock()
			select {
			case <-d.idle:
			case <-time.After(time.Minute):
				t.Error("the daemon stays")
			}
			began := time.Now()
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			t.Logf("closed after %v", time.Since(began))
		})
	}
}

// TestStoppedClientsTurn: what a client that was stopped has its answer for is
// not kept from others.
func TestStoppedClientsTurn(t *testing.T) {
	srv, data := publish(t, 1<<20)
	store := t.TempDir()
	d := newDaemon(t, store)
	defer d.Close()
	stopped(t, store, srv.URL("/x.zsync"))
	for srv.Count("/x") == 0 {
		time.Sleep(time.Millisecond)
	}
	err := NewClient(store).Get(t.Context(), GetSpec{Source: srv.URL("/x.zsync"), NoFile: true}, GetWatch{},
		func(r GetResult, _ *os.File) error {
			if r.Local != int64(len(data)) {
				t.Errorf("%+v", r)
			}
			return nil
		})
	if err != nil {
		t.Error(err)
	}
}
