package fileserver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
)

// errClosed: the server ends.
var errClosed = errors.New("the server is closing")

// controls makes control files and keeps them on disk.
type controls struct {
	served string // absolute path of the served directory, part of every key
	dir    string
	o      making.Options
	slots  chan struct{} // one element for each control file being made
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // one for each flight and for prune

	mu      sync.Mutex
	flights map[string]*flight // guarded by mu; by folder and fingerprint
	closed  bool               // guarded by mu
}

// flight is one control file being made, or waiting for a slot.
type flight struct {
	path    string        // of the control file, its key in controls.flights
	waiters int           // guarded by controls.mu
	begun   bool          // guarded by controls.mu
	drop    chan struct{} // closed when nobody waits any more and it has not begun
	done    chan struct{} // closed when err is set
	err     error
}

func newControls(served string, o Options) (*controls, error) {
	if err := os.MkdirAll(o.ControlDir, 0o700); err != nil {
		return nil, err
	}
	c := &controls{
		served:  served,
		dir:     o.ControlDir,
		o:       making.Options{BlockSize: o.BlockSize},
		slots:   make(chan struct{}, o.Jobs),
		flights: map[string]*flight{},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.wg.Go(c.prune)
	return c, nil
}

// close cancels what is being made and waits for its end.
func (c *controls) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.wg.Wait()
}

// folder is where the control files of the served file name are kept.
func (c *controls) folder(name string) string {
	sum := sha256.Sum256([]byte(c.served + "\x00" + name))
	return filepath.Join(c.dir, hex.EncodeToString(sum[:16]))
}

// file is the name, in its folder, of the control file of this state.
func (c *controls) file(p making.Fingerprint) string {
	return p.Key() + blockSizeTag(c.o.BlockSize) + controlSuffix
}

// make makes the control file of target, an open file known as name, whose
// fingerprint is p, unless another caller is at it: then it waits for that one.
// It does not close target. Errors: ctx.Err() if this caller left (the making
// goes on if it has begun); those of making.Write.
func (c *controls) make(ctx context.Context, root *os.Root, name string, p making.Fingerprint) error {
	path := filepath.Join(c.folder(name), c.file(p))
	fl, err := c.join(path, root, name, p)
	if err != nil {
		return err
	}
	defer c.leave(fl)
	select {
	case <-fl.done:
		return fl.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join finds the flight for path or starts it, and counts the caller in.
func (c *controls) join(path string, root *os.Root, name string, p making.Fingerprint) (*flight, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	fl := c.flights[path]
	if fl == nil {
		fl = &flight{path: path, drop: make(chan struct{}), done: make(chan struct{})}
		c.flights[path] = fl
		c.wg.Go(func() { c.fly(fl, root, name, p) })
	}
	fl.waiters++
	return fl, nil
}

// leave counts a caller out. The last one out of a flight that still waits for
// its slot ends it, so that a client cannot fill the queue by asking and going.
func (c *controls) leave(fl *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fl.waiters--
	if fl.waiters == 0 && !fl.begun {
		close(fl.drop)
		c.forget(fl) // who asks now needs a new one
	}
}

// fly waits for a slot and makes the control file.
func (c *controls) fly(fl *flight, root *os.Root, name string, p making.Fingerprint) {
	fl.err = func() error {
		select {
		case c.slots <- struct{}{}:
			defer func() { <-c.slots }()
		case <-fl.drop:
			return context.Canceled
		case <-c.ctx.Done():
			return errClosed
		}
		if !c.begin(fl) {
			return context.Canceled
		}
		return c.write(fl.path, root, name, p)
	}()
	c.mu.Lock()
	c.forget(fl)
	c.mu.Unlock()
	close(fl.done)
}

// forget takes fl out of flights, where another may be in its place already.
// The caller holds mu.
func (c *controls) forget(fl *flight) {
	if c.flights[fl.path] == fl {
		delete(c.flights, fl.path)
	}
}

// begin says whether anybody still waits for fl; from then on it is finished
// whoever leaves.
func (c *controls) begin(fl *flight) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if fl.waiters == 0 {
		return false // dropped, or about to be
	}
	fl.begun = true
	return true
}
