//go:build !windows

package main

import (
	"errors"
	"syscall"
)

// isFullDisk says whether err is that of a disk without room.
func isFullDisk(err error) bool { return errors.Is(err, syscall.ENOSPC) }
