package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/fs/target"
)

// History are the last samples of the mount on dir, the oldest first; nil when nothing is
// mounted there.
func (d *Daemon) History(dir string) []Sample {
	if m := d.mountAt(dir); m != nil {
		return m.history.all()
	}
	return nil
}

// Map is where the blocks of an artifact are that is open in the mount on dir, in at most
// cells cells; url is its control file's, as Status has it. false when it is not open.
func (d *Daemon) Map(dir, url string, cells int) (target.Map, bool) {
	if m := d.mountAt(dir); m != nil {
		return m.pool.Map(url, cells)
	}
	return target.Map{}, false
}

// mountAt is the mount on dir; nil for none.
func (d *Daemon) mountAt(dir string) *mounted {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mounts[dir]
}

// DoCache does r with the daemon's store, until the daemon ends, which a check of much
// would keep from closing the store. Errors: as Cache; ErrEnding.
func (d *Daemon) DoCache(ctx context.Context, r CacheRequest) (*CacheAnswer, error) {
	if d.isEnding() {
		return nil, ErrEnding // what its files still hold would be called in use
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(d.ctx, func() { cancel(ErrEnding) })()
	return Cache(ctx, d.store, r)
}

// Pin completes the version of the control file at url in the store, and keeps it there,
// with the logins of the mount that it belongs to. Errors: those of Get.
func (d *Daemon) Pin(ctx context.Context, url string) error {
	spec := GetSpec{Source: url, NoFile: true, Pin: true}
	if m := d.mountOfURL(url); m != nil {
		spec.Access = m.spec.Access
		spec.LimitRate = m.now.Load().LimitRate
	}
	if err := spec.Check(); err != nil {
		return err
	}
	// It is in the store then, and a file of it is not wanted.
	return d.Get(ctx, spec, GetWatch{}, func(GetResult, *os.File) error { return nil })
}

// mountOfURL is the mount whose source has the control file at url: the one whose URL is
// the longest that it begins with, or one with the same host.
func (d *Daemon) mountOfURL(url string) (best *mounted) {
	want, err := access.ParseURL(url)
	if err != nil {
		return nil
	}
	longest := -1
	for m := range d.mountedNow() {
		source, err := access.ParseURL(m.spec.Source)
		if err != nil || source.Scheme != want.Scheme || source.Host != want.Host {
			continue
		}
		n := 0
		if strings.HasPrefix(want.Path, source.Path) {
			n = len(source.Path)
		}
		if n > longest {
			best, longest = m, n
		}
	}
	return best
}

// errNoAction says that a page asks for something that there is not.
var errNoAction = errors.New("no such action")

// Act does one of the page's actions: "pin" (which is the URL of a control file),
// "unpin", "verify" or "evict" (which is the ID of a version), and says what came of it.
func (d *Daemon) Act(ctx context.Context, action, which string) (string, error) {
	switch action {
	case "pin":
		if err := d.Pin(ctx, which); err != nil {
			return "", err
		}
		return "complete, and stays", nil
	case "unpin", "verify", "evict":
	default:
		return "", fmt.Errorf("%w: %s", errNoAction, action)
	}
	op := map[string]string{"unpin": "unpin", "verify": "verify", "evict": "rm"}[action]
	a, err := d.DoCache(ctx, CacheRequest{Op: op, Match: []string{which}})
	if err != nil {
		return "", err
	}
	switch {
	case len(a.Kept) > 0:
		return "", errors.New("it is in use")
	case action == "verify":
		for _, r := range a.Checked {
			if r.Error != "" {
				return "", errors.New(r.Error)
			}
			if r.Damaged > 0 {
				return fmt.Sprintf("%d blocks were damaged, and are forgotten", r.Damaged), nil
			}
		}
		return "all blocks are right", nil
	case action == "evict":
		return "gone", nil
	}
	return "may go when room is needed", nil
}
