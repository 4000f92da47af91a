package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// processCPU is the CPU time in seconds, user and system, of all threads that a
// process has and has had. The kernel's clock of a process has nanoseconds, and
// what /proc says of it hundredths.
func processCPU(pid int) (float64, error) {
	const sched = 2 // CPUCLOCK_SCHED, see clock_getcpuclockid(3)
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|sched, &ts); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return float64(ts.Nano()) / 1e9, nil
}

// ticksPerSecond is the unit of times in /proc.
const ticksPerSecond = 100

// reapedCPU is the CPU time in seconds of the children of a process that have
// ended and that it has waited for.
func reapedCPU(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ") // behind the name, which may have anything in it
	fields, total := strings.Fields(rest), 0.0
	const user, system = 13, 14
	if len(fields) <= system {
		return 0, fmt.Errorf("/proc/%d/stat says %q", pid, text)
	}
	for _, i := range []int{user, system} {
		ticks, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, err
		}
		total += float64(ticks) / ticksPerSecond
	}
	return total, nil
}

// threadCPU is the CPU time in seconds that work takes on one thread.
func threadCPU(work func()) (float64, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &before); err != nil {
		return 0, err
	}
	work()
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &after); err != nil {
		return 0, err
	}
	return float64(after.Nano()-before.Nano()) / 1e9, nil
}
