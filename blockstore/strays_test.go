package blockstore

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/format"
)

// TestForgottenBytesMakeRoom: bytes that an open version has forgotten, because an
// fdatasync failed or the disk refused to give them back, are what goes first when room
// is needed: else they would take it for as long as the version is open.
func TestForgottenBytesMakeRoom(t *testing.T) {
	const blockSize, limit = 4096, 2 << 20
	old, other := makeTarget(t, 1, 300*blockSize, blockSize), makeTarget(t, 2, 300*blockSize, blockSize)
	// Each has the version forget its blocks, and not their room.
	for name, lose := range map[string]func(*testing.T, *Store, *Version) *Version{
		"an fdatasync failed": func(t *testing.T, _ *Store, v *Version) *Version {
			defer func() { syncFile = fdatasync }()
			syncFile = func(f *os.File) error {
				if f == v.parts.data.File {
					return unix.EIO
				}
				return fdatasync(f)
			}
			if err := v.Checkpoint(); err == nil {
				t.Error("the checkpoint did not fail")
			}
			return v
		},
		"no hole could be punched": func(t *testing.T, s *Store, v *Version) *Version {
			defer func() { punchHole = punch }()
			punchHole = func(*os.File, int64, int64) error { return unix.EROFS }
			s.evictFor(limit)
			return v
		},
		"blocks were damaged": func(t *testing.T, _ *Store, v *Version) *Version {
			must(t, v.Forget(v.geometry().All()))
			return v
		},
		"before it was opened": func(t *testing.T, s *Store, v *Version) *Version {
			must(t, v.Forget(v.geometry().All()))
			must(t, v.Close())
			return old.open(t, s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := openStore(t, t.TempDir())
			s.SetLimits(Limits{Size: limit})
			v := old.open(t, s)
			old.fill(t, v)
			v = lose(t, s, v)
			defer v.Close()
			v.Hold() // for who reads it and comes again
			defer v.Release()
			if n := v.KnownCount(); n != 0 {
				t.Fatalf("%d blocks are left", n)
			}
			w := other.open(t, s)
			defer w.Close()
			w.Hold()
			defer w.Release()
			must(t, w.PutControl(other.control, 0))
			for b := format.BlockID(0); b < other.count(); b += 20 {
				// After an eviction that made no room a Put only asks for another one.
				within(t, "there is room", func() bool {
					err := w.Put(b, other.blocks(b, b+20))
					if err != nil && !errors.Is(err, ErrFull) {
						t.Fatalf("block %d: %v", b, err)
					}
					return err == nil
				})
			}
			other.right(t, w)
			if room := roomOf(s.dir); room > limit {
				t.Errorf("the folder takes %d bytes, with a limit of %d", room, limit)
			}
			for b := range old.count() / 3 {
				must(t, v.Put(b, old.blocks(b, b+1)))
			}
			if n := old.checkAll(t, v); n != int(old.count()/3) {
				t.Errorf("%d blocks are right", n)
			}
		})
	}
}
