package daemon

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// TestStatusOfStoppedDaemon: who asks a daemon that hangs is told so.
func TestStatusOfStoppedDaemon(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := NewClient(dir)
	c.patience = 50 * time.Millisecond
	if _, err := c.Status(t.Context()); !errors.Is(err, ErrNoAnswer) {
		t.Error(err)
	}
	if _, err := c.Cache(t.Context(), CacheRequest{}); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("what takes long: %v", err)
	}
}
