package readcheck

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// childVariable holds the pair for a child process, with a newline between.
const childVariable = "ZSYNCFS_READCHECK_MMAP"

// RunChild does the work of a child process and ends the process, if this is
// one. Called first thing in TestMain.
func RunChild() {
	if text, is := os.LookupEnv(oracleVariable); is {
		exit(runOracle(text))
	}
	got, want, is := strings.Cut(os.Getenv(childVariable), "\n")
	if !is {
		return
	}
	exit(compareMaps(Pair{got, want}))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Mmap compares the memory maps of both files, at random pages first.
func Mmap(p Pair) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childVariable+"="+p.Got+"\n"+p.Want)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("read through mmap: %w: %s", err, out)
	}
	return nil
}

func compareMaps(p Pair) error {
	got, want, length, err := p.files()
	if err != nil || length == 0 {
		return err
	}
	defer got.Close()
	defer want.Close()
	g, err := unix.Mmap(int(got.Fd()), 0, int(length), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	w, err := unix.Mmap(int(want.Fd()), 0, int(length), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	r := rand.New(rand.NewPCG(2, uint64(length)))
	for range 50 {
		off := r.Int64N(length)
		end := min(off+5000, length)
		if err := equal(g[off:end], w[off:end], off); err != nil {
			return err
		}
	}
	return equal(g, w, 0)
}
