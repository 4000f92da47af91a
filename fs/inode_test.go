package fs

import (
	"syscall"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

func control(raw string) *zsyncclient.Control {
	return &zsyncclient.Control{
		Raw:    []byte(raw),
		Header: &format.Header{Length: 10, BlockSize: 2048, StrongLength: 16, RsumLength: 4, SeqMatches: 1},
	}
}

func TestInodeNumbersFollowPathAndVersion(t *testing.T) {
	seen := map[uint64]string{}
	for name, n := range map[string]uint64{
		"a, version 1":       fileNumber("a", control("v1")),
		"a, version 2":       fileNumber("a", control("v2")),
		"b, version 1":       fileNumber("b", control("v1")),
		"d/a, version 1":     fileNumber("d/a", control("v1")),
		"a, without version": inodeNumber("a", nil),
	} {
		if n < 2 || n >= 1<<63 {
			t.Errorf("%s: %d is not ours", name, n)
		}
		if other, ok := seen[n]; ok {
			t.Errorf("%s and %s have the same number", name, other)
		}
		seen[n] = name
	}
	const stable = 0xd1bff4c007f36fb
	if got := fileNumber("a", control("v1")); got != stable {
		t.Errorf("the number of this file and version must be %#x for ever, and is %#x", uint64(stable), got)
	}
}

func TestAppImagesArePrograms(t *testing.T) {
	for path, want := range map[string]uint32{
		"disk.img": 0o444, "AppImage": 0o444, "My.AppImage.txt": 0o444,
		"My-x86_64.AppImage": 0o555, "d/my.appimage": 0o555,
	} {
		if got := fileMode(path); got != want {
			t.Errorf("%s: %o, want %o", path, got, want)
		}
	}
}

func TestModified(t *testing.T) {
	at := time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)
	ctl := control("x")
	if got := modified(ctl); got.Unix() != 0 {
		t.Errorf("nothing known: %v", got)
	}
	ctl.Validators.LastModified = "Sat, 03 Feb 2024 04:05:06 GMT"
	if got := modified(ctl); !got.Equal(at) {
		t.Errorf("from the server: %v", got)
	}
	ctl.Header.MTime = at.Add(time.Hour)
	if got := modified(ctl); !got.Equal(at.Add(time.Hour)) {
		t.Errorf("from the header: %v", got)
	}
}

func TestFillXattr(t *testing.T) {
	if n, code := fillXattr(nil, "value"); n != 5 || code != syscall.ERANGE {
		t.Errorf("asking for the length: %d, %v", n, code)
	}
	dest := make([]byte, 8)
	if n, code := fillXattr(dest, "value"); n != 5 || code != 0 || string(dest[:n]) != "value" {
		t.Errorf("%d, %v, %q", n, code, dest)
	}
}

func TestFileHashShowsTheStrongest(t *testing.T) {
	h := &format.Header{}
	if got := fileHash(h); got != "none" {
		t.Error(got)
	}
	h.FileHashes = []format.FileHash{{Algorithm: "SHA-256", Digest: []byte{1}}, {Algorithm: "SHA-1", Digest: []byte{2}}}
	if got := fileHash(h); got != "SHA-256:01" {
		t.Error(got)
	}
}
