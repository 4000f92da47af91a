package fs

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// ErrNoFusermount says that the helper which mounts for ordinary users is missing.
var ErrNoFusermount = errors.New("fusermount3 is not installed (package fuse3)")

// fusermount runs the set-uid helper.
func fusermount(args ...string) error {
	for _, name := range []string{"fusermount3", "fusermount"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.Command(path, args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
		}
		return nil
	}
	return ErrNoFusermount
}
