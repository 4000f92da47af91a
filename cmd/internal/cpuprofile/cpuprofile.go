// Package cpuprofile has a program write a profile of the CPU time that it takes, for
// those who make it faster: to the file that ZSYNCFS_CPU_PROFILE in the environment
// names, for "go tool pprof". (A daemon has its profiles on its socket.)
//
// It imports nothing of the project and is called once, by main.
package cpuprofile

import (
	"fmt"
	"io"
	"os"
	"runtime/pprof"
)

// Variable names the file in the environment.
const Variable = "ZSYNCFS_CPU_PROFILE"

// Start begins to profile, when that is asked for; stop ends it, and must be called.
// What goes wrong is told to stderr, and is no failure of the program.
func Start(stderr io.Writer) (stop func()) {
	path := os.Getenv(Variable)
	if path == "" {
		return func() {}
	}
	f, err := os.Create(path)
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		fmt.Fprintf(stderr, "no profile of the CPU: %v\n", err)
		return func() {}
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}
}
