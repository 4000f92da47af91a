//go:build !(linux || darwin || freebsd)

package sparse

import "os"

// next: nobody tells here.
func next(*os.File, int64) (start, end int64, ok bool) { return 0, 0, false }
