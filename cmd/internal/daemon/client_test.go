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
	if _, err := NewClient(dir).statusWithin(t.Context(), 50*time.Millisecond); !errors.Is(err, ErrNoAnswer) {
		t.Error(err)
	}
}
