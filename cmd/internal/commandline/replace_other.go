//go:build !linux

package commandline

func replace(_, _ []string) {}
