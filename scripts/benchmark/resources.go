package main

import (
	"sync"
	"time"
)

// resources is the stack of what must be undone: mounts, processes, folders.
// Safe for concurrent use: a signal can empty it at any time.
type resources struct {
	mu     sync.Mutex
	stack  []func() // guarded by mu
	closed bool     // guarded by mu

	parked chan struct{} // closed when the measuring goroutine has come to a stop
	once   sync.Once     // closes parked
}

func newResources() *resources { return &resources{parked: make(chan struct{})} }

// parksWithin is how long the measuring goroutine may go on after close.
const parksWithin = 10 * time.Second

// add puts release on the stack. After close it never returns: the process is
// about to end, and nothing new may be started.
func (r *resources) add(release func()) {
	_ = r.start(func() (func(), error) { return release, nil })
}

// start runs begin and puts what it returns on the stack, in one step as seen
// by close, so that nothing that was started is forgotten.
func (r *resources) start(begin func() (release func(), err error)) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		r.park()
	}
	defer r.mu.Unlock()
	release, err := begin()
	if err == nil {
		r.stack = append(r.stack, release)
	}
	return err
}

// park stops the measuring goroutine for good: close's caller ends the process.
func (r *resources) park() {
	r.once.Do(func() { close(r.parked) })
	select {}
}

// mark is the height of the stack, for releaseTo.
func (r *resources) mark() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.stack)
}

// releaseTo releases what was added since mark returned n, the latest first.
func (r *resources) releaseTo(n int) {
	for {
		r.mu.Lock()
		if len(r.stack) <= n {
			r.mu.Unlock()
			return
		}
		release := r.stack[len(r.stack)-1]
		r.stack = r.stack[:len(r.stack)-1]
		r.mu.Unlock()
		release()
	}
}

// close refuses new resources and releases all. It returns when the measuring
// goroutine makes nothing new any more: it has parked, or is stuck.
func (r *resources) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.releaseTo(0)
	select {
	case <-r.parked:
	case <-time.After(parksWithin):
	}
}
