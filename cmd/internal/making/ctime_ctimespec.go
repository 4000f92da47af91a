//go:build darwin || freebsd || netbsd

package making

import (
	"syscall"
	"time"
)

// changeTime is the time of the last change of the file or its attributes, in
// nanoseconds since 1970.
func changeTime(st *syscall.Stat_t) int64 { return time.Unix(st.Ctimespec.Unix()).UnixNano() }
