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
	if _, err := c.statusWithin(t.Context(), 50*time.Millisecond); !errors.Is(err, ErrNoAnswer) {
		t.Error(err)
	}
	c.patience = 50 * time.Millisecond
	if _, err := c.Cache(t.Context(), CacheRequest{}); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("what takes long: %v", err)
	}
}
