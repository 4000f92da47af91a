package fs

import "sync"

// A name that left the listing, or stands for another version now, the kernel drops when
// somebody asks for it again. What nobody asks for it keeps until the machine is short of
// memory, and with it its node here. So it is told to forget such names: many at a time,
// because telling it takes a lock that a look-up may hold (quiet.go).

// goneTogether is how many names the kernel is told to forget at a time. A daemon that
// lives long keeps that many nodes more than it needs.
const goneTogether = 64

// mostGone is how many names wait at most, when the kernel cannot be told: of more, the
// oldest ones stay until it is short of memory.
const mostGone = 1 << 14

// goneNames are names that the kernel may have and nobody needs. The zero value is ready.
// Safe for concurrent use.
type goneNames struct {
	mu    sync.Mutex
	names []entryName // the oldest first; guarded by mu
}

// EntryChanged takes in that name, in the directory at dir ("" is the root), came, went, or
// became another: the kernel, which asks again within a second, need not keep what it has
// of it. Never blocks; may be called at any time, also before Mount, and after the unmount
// and Close.
func (f *FS) EntryChanged(dir, name string) {
	g := &f.gone
	g.mu.Lock()
	defer g.mu.Unlock()
	g.names = append(g.names, entryName{dir, name})
	if len(g.names) < goneTogether {
		return
	}
	if f.forgetNames(g.names) {
		g.names = nil
	} else if len(g.names) > mostGone {
		g.names = g.names[1:]
	}
}
