package archive

import (
	"context"
	"sync"
)

// notifier calls Options.Changed from one goroutine, in order, each change that
// waits only once.
type notifier struct {
	changed func(dir, name string)
	wake    chan struct{}

	mu      sync.Mutex
	queue   []change            // guarded by mu
	waiting map[change]struct{} // what is in queue; guarded by mu
}

type change struct{ dir, name string }

func newNotifier(changed func(dir, name string)) *notifier {
	return &notifier{changed: changed, wake: make(chan struct{}, 1), waiting: map[change]struct{}{}}
}

func (n *notifier) add(dir, name string) {
	if n.changed == nil {
		return
	}
	c := change{dir, name}
	n.mu.Lock()
	if _, twice := n.waiting[c]; !twice {
		n.waiting[c] = struct{}{}
		n.queue = append(n.queue, c)
	}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *notifier) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		}
		for ctx.Err() == nil {
			c, ok := n.next()
			if !ok {
				break
			}
			n.changed(c.dir, c.name)
		}
	}
}

// next takes a change before it is told: one that comes meanwhile is told again.
func (n *notifier) next() (change, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.queue) == 0 {
		n.queue = nil
		return change{}, false
	}
	c := n.queue[0]
	n.queue = n.queue[1:]
	delete(n.waiting, c)
	return c, true
}
