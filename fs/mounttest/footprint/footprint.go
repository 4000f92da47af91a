package footprint

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Footprint is what a daemon holds.
type Footprint struct {
	// Heap is what is alive on the Go heap, in bytes, and Objects how many pieces.
	Heap, Objects int64
	// Resident is the size in memory, in bytes, with what the Go runtime keeps to give
	// out again.
	Resident int64
	// Threads is a count, and so are those by the function that a goroutine began with,
	// and by the kind of a descriptor.
	Threads                 int
	Goroutines, Descriptors map[string]int
	// Children are the names of child processes.
	Children []string
	// Disk is the room of the store's folder, in bytes, without the daemon's log; Files
	// counts what is in it by place.
	Disk  int64
	Files map[string]int
}

// Of is the footprint of the daemon pid whose store is the folder store.
func Of(pid int, store string) (*Footprint, error) {
	f := &Footprint{}
	if err := errors.Join(f.ofProfiles(store), f.ofProcess(pid, store), f.ofFolder(store)); err != nil {
		return nil, fmt.Errorf("footprint of daemon %d: %w", pid, err)
	}
	return f, nil
}

// String is in one line, without functions and kinds.
func (f *Footprint) String() string {
	return fmt.Sprintf("heap %d KiB in %d objects, resident %d MiB, %d goroutines, %d threads, %d descriptors, %d children, %d KiB in %d files",
		f.Heap>>10, f.Objects, f.Resident>>20, sum(f.Goroutines), f.Threads, sum(f.Descriptors), len(f.Children), f.Disk>>10, sum(f.Files))
}

// Room is how much more there may be of each. The zero value allows nothing more.
type Room struct {
	Heap, Objects, Resident, Disk int64
	Threads                       int
	// Goroutines, Descriptors and Files are for each function, kind and place. More may
	// be set of some: by a part of the name.
	Goroutines, Descriptors, Files int
	Of                             map[string]int
}

// Grown says what there is more of than in before and room together, a line for each;
// nil when nothing has grown.
func (f *Footprint) Grown(before *Footprint, room Room) (grown []string) {
	number := func(what string, now, then, more int64) {
		if now > then+more {
			grown = append(grown, fmt.Sprintf("%s: %d, was %d, at most %d more is allowed", what, now, then, more))
		}
	}
	number("heap in bytes", f.Heap, before.Heap, room.Heap)
	number("heap in objects", f.Objects, before.Objects, room.Objects)
	number("resident bytes", f.Resident, before.Resident, room.Resident)
	number("room on the disk in bytes", f.Disk, before.Disk, room.Disk)
	number("threads", int64(f.Threads), int64(before.Threads), int64(room.Threads))
	counts := func(what string, now, then map[string]int, more int) {
		for _, name := range slices.Sorted(maps.Keys(now)) {
			number(what+" "+name, int64(now[name]), int64(then[name]), int64(room.of(name, more)))
		}
	}
	counts("goroutines of", f.Goroutines, before.Goroutines, room.Goroutines)
	counts("descriptors of", f.Descriptors, before.Descriptors, room.Descriptors)
	counts("files", f.Files, before.Files, room.Files)
	if len(f.Children) > 0 {
		grown = append(grown, fmt.Sprintf("child processes: %v", f.Children))
	}
	return grown
}

// of is the room for name: what Of says of a part of it, else more.
func (r Room) of(name string, more int) int {
	for part, n := range r.Of {
		if strings.Contains(name, part) {
			return max(n, more)
		}
	}
	return more
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}
