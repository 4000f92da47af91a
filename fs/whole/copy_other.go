//go:build !linux

package whole

import (
	"errors"
	"os"
)

func clone(_, _ *os.File) error { return errors.ErrUnsupported }

func copyInKernel(_, _ *os.File, _, _ int64) int64 { return 0 }
