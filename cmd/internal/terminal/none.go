//go:build !darwin && !freebsd && !netbsd && !openbsd && !dragonfly && !linux && !windows

package terminal

func isTerminal(uintptr) bool { return false }
