package whole

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/blockstore"
)

func TestNoRoom(t *testing.T) {
	f := newFixture(t)
	data := randomBytes(1, 8<<20)
	f.publish("/x", data, nil)
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, fmt.Sprintf("size=%d", 4<<20)); err != nil {
		t.Skipf("needs a small file system, which cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		f.store.Close()
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	must(t, f.store.Close())
	f.openStore(filepath.Join(disk, "store"))
	fill := f.fill("/x", nil)
	_, err := fill.Run(context.Background())
	var room *RoomError
	if !errors.As(err, &room) || !errors.Is(err, blockstore.ErrFull) || room.Need != int64(len(data)) || f.srv.Bytes("/x") != 0 {
		t.Errorf("too large: %v", err)
	}
	fill.forgotten = true // as if nobody knew the room
	if _, err := fill.Run(context.Background()); !errors.Is(err, blockstore.ErrFull) || errors.As(err, &room) && room.Need == 0 {
		t.Errorf("full on the way: %v", err)
	}
	known := fill.version.KnownCount()
	if known == 0 {
		t.Error("nothing was kept")
	}
	must(t, unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, fmt.Sprintf("size=%d", 32<<20)))
	again := f.fill("/x", nil)
	r, err := again.Run(context.Background())
	if err != nil || r.Local != known*blockSize {
		t.Errorf("with room: %+v, %v", r, err)
	}
	src, err := again.OpenData(context.Background())
	must(t, err)
	defer src.Close()
	got := make([]byte, len(data))
	if _, err := src.ReadAt(got, 0); err != nil || !bytes.Equal(got, data) {
		t.Errorf("wrong bytes, or %v", err)
	}
}
