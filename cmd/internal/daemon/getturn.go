package daemon

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/zsyncfs/zsyncfs/fs"
)

// Get is the function Get, with the daemon's store. It keeps the daemon from
// ending. Errors beside those: ErrEnding.
func (d *Daemon) Get(ctx context.Context, spec GetSpec, w GetWatch, use GetUse) error {
	w = w.withDefaults()
	g := newOneGet(spec)
	if err := d.beginGet(g); err != nil {
		return err
	}
	defer d.endGet(g)
	if err := d.keepOutOfMounts(&spec, w.Warn); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(d.ctx, func() { cancel(ErrEnding) })()
	done, err := d.takeTurn(ctx, spec)
	if err != nil {
		return err
	}
	defer done()
	g.enter(stepAsking)
	w.Avoid = mountPoints
	err = Get(ctx, d.store, spec, "zsyncfs/"+d.options.Version, g.watch(w), func(r GetResult, data *os.File) error {
		done() // it is complete: the next finds all of it
		g.enter(stepExporting)
		return use(r, data)
	})
	if err != nil && d.ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ErrEnding, err)
	}
	return err
}

func (d *Daemon) beginGet(g *oneGet) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ending {
		return ErrEnding
	}
	d.gets++
	d.running[g] = struct{}{}
	d.mounting.Add(1)
	return nil
}

func (d *Daemon) endGet(g *oneGet) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gets--
	delete(d.running, g)
	d.settleServed()
	d.mounting.Done()
}

// answered notes that a Get has done its work, and waits for its client only
// (by 1), or that this is over (by -1). Waiting does not keep the daemon from
// ending.
func (d *Daemon) answered(by int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gets -= by
	d.settleServed()
}

// settleServed is settle, unless the daemon's first mount is still to come. d.mu
// is held.
func (d *Daemon) settleServed() {
	if d.served {
		d.settle()
	}
}

// takeTurn waits until no other Get of the same source is under way: what one
// brings, the next finds. done ends the turn; it may be called twice.
func (d *Daemon) takeTurn(ctx context.Context, spec GetSpec) (done func(), err error) {
	if spec.DryRun {
		return func() {}, nil
	}
	for {
		d.mu.Lock()
		other := d.getting[spec.Source]
		if other == nil {
			mine := make(chan struct{})
			d.getting[spec.Source] = mine
			d.mu.Unlock()
			return sync.OnceFunc(func() {
				d.mu.Lock()
				defer d.mu.Unlock()
				delete(d.getting, spec.Source)
				close(mine)
			}), nil
		}
		d.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// keepOutOfMounts takes files of the daemon's own mounts off spec: a process must
// not read what it serves. The blocks of such a seed are in the store.
func (d *Daemon) keepOutOfMounts(spec *GetSpec, warn func(error)) error {
	spec.Seeds = d.seedsOutside(spec.Seeds, warn)
	for _, path := range []string{spec.File, spec.Dir} {
		if dir := d.mountOf(path); dir != "" && !spec.NoFile {
			return fmt.Errorf("%s lies in the mount on %s, which is read-only", path, dir)
		}
	}
	return nil
}

// keepSeedsOutOfMounts does that for the seeds of a mount.
func (d *Daemon) keepSeedsOutOfMounts(spec *Spec) {
	spec.Seeds = d.seedsOutside(spec.Seeds, func(err error) { d.options.Log.Warn(err.Error(), "mount", spec.Dir) })
}

// seedsOutside are those of seeds that lie in none of the daemon's mounts.
func (d *Daemon) seedsOutside(seeds []string, warn func(error)) (out []string) {
	for _, s := range seeds {
		if dir := d.mountOf(s); dir != "" {
			warn(fmt.Errorf("seed not used: %s lies in the mount on %s, whose blocks are in the block store", s, dir))
			continue
		}
		out = append(out, s)
	}
	return out
}

// mountOf is the mount point of the daemon's that path lies in; "" for none.
func (d *Daemon) mountOf(path string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	for dir := range d.mounts {
		if path != "" && within(path, dir) {
			return dir
		}
	}
	return ""
}

// mountPoints are those of all mounts of this program, of which no seed is read, as far as
// they can be told.
func mountPoints() []string {
	dirs, _ := fs.MountPoints()
	return dirs
}
