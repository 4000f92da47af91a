//go:build unix

package download

import (
	"os"
	"syscall"
)

// allocated is how many bytes of the disk the file at path takes; 0 when that is not known.
func allocated(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(stat.Blocks) * 512
	}
	return 0
}
