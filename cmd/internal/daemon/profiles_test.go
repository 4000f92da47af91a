package daemon

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
)

// TestProfiles: profiles are on the socket once a mount asked for them.
func TestProfiles(t *testing.T) {
	dir := t.TempDir()
	d := newDaemon(t, dir)
	defer d.Close()
	c := NewClient(dir)
	get := func() (status int, body []byte) {
		t.Helper()
		resp, err := c.http.Get("http://daemon/debug/pprof/heap")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err = io.ReadAll(resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, body
	}
	if status, _ := get(); status != http.StatusNotFound {
		t.Errorf("nobody asked for profiles: status %d", status)
	}
	// The mount itself may fail: nothing answers there.
	_ = c.Mount(context.Background(), Spec{Source: "http://127.0.0.1:1/", Dir: t.TempDir(), Profiles: true})
	status, body := get()
	if status != http.StatusOK || !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		t.Errorf("status %d, and %d bytes that are no profile", status, len(body))
	}
}
