//go:build failpoints

package blockstore

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// failpointVariable names, in the environment, the point at which the process kills
// itself, and which time that it comes there: "gather.copied:2". The last words go to
// standard error.
const failpointVariable = "ZSYNCFS_FAILPOINT"

var (
	deadlyPoint, deadlyPass = parseFailpoint(os.Getenv(failpointVariable))
	failpointPasses         atomic.Int64
)

func parseFailpoint(text string) (name string, pass int64) {
	name, number, _ := strings.Cut(text, ":")
	pass, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		pass = 1
	}
	return name, pass
}

// failpoint ends the process as kill -9 does, at the point and the time that it was told.
func failpoint(name string) {
	if name != deadlyPoint || failpointPasses.Add(1) != deadlyPass {
		return
	}
	fmt.Fprintf(os.Stderr, "failpoint %s: time %d, killed\n", name, deadlyPass)
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	select {} // it is gone before this, at the latest
}
