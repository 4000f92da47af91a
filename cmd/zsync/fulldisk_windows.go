package main

import (
	"errors"

	"golang.org/x/sys/windows"
)

// isFullDisk says whether err is that of a disk without room.
func isFullDisk(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}
