//go:build unix

package seed

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// TestFIFO: a FIFO is refused at once.
func TestFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	tg := newTarget(randomBytes(1, 5000), 512, checksum.MD4, benchLengths[0])
	_, err := tg.index(t).ScanFile(context.Background(), path, "", NewMissing(10), newSink(tg, nil).deliver, Options{})
	var irregular *NotRegularError
	if !errors.As(err, &irregular) {
		t.Errorf("%v", err)
	}
}
