package main

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs"
)

// The advice is about what went wrong, whoever said it.
func TestExplainUmount(t *testing.T) {
	for _, tt := range []struct {
		err  error
		uid  int
		hint string
	}{
		{syscall.EBUSY, 0, "files of it may be open"},
		{errors.New("fusermount3: failed to unmount /m: Device or resource busy"), 1000, "files of it may be open"},
		{errors.New("fusermount3: entry for /m not found in /etc/mtab"), 1000, "the user who mounted it"},
		{fs.ErrNoFusermount, 1000, "apt-get install fuse3"},
		{syscall.EIO, 0, ""},
	} {
		code, hint := program.Translate(explainUmount("/m", tt.uid, tt.err))
		if code != exitMount || !strings.Contains(hint, tt.hint) || (hint == "") != (tt.hint == "") {
			t.Errorf("%v: exit code %d, hint %q; want %d, %q", tt.err, code, hint, exitMount, tt.hint)
		}
	}
	if err := explainUmount("/m", 0, nil); err != nil {
		t.Error(err)
	}
}
