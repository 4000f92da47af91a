package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/fs/whole"
)

// CacheEntry is one version in the block store. Sizes are bytes. Its JSON keys are
// stable.
type CacheEntry struct {
	ID     string    `json:"id"`  // its key in the store, in hex
	URL    string    `json:"url"` // of the control file; "" when it was lost
	Length int64     `json:"length"`
	Local  int64     `json:"local"`  // bytes that are here
	Shared int64     `json:"shared"` // those of them that other versions have
	Disk   int64     `json:"disk"`   // what it takes on the disk
	State  string    `json:"state"`
	Used   time.Time `json:"used"`
	InUse  bool      `json:"in_use"`
	Pinned bool      `json:"pinned"` // stays when room is made for others
}

// CacheRequest is what is to be done with the store.
type CacheRequest struct {
	// Op is "ls", "rm", "gc", "verify" or "unpin".
	Op string
	// Match names versions: by the beginning of an ID, a URL, or the name of the
	// file, with * and ?. None: all, but for rm, which then needs All.
	Match []string
	All   bool
}

// CacheAnswer is what was done. Its JSON keys are stable.
type CacheAnswer struct {
	Dir     string        `json:"dir"`
	Entries []CacheEntry  `json:"entries,omitempty"` // ls: all; rm: those that went
	Kept    []CacheEntry  `json:"kept,omitempty"`    // rm: those that somebody uses
	Freed   int64         `json:"freed,omitempty"`   // bytes of room given back
	Checked []CacheResult `json:"checked,omitempty"` // verify
	Limit   int64         `json:"limit,omitempty"`   // largest size of the store, in bytes
}

// CacheResult is what was found of a version.
type CacheResult struct {
	CacheEntry
	Blocks  int64  `json:"blocks"`
	Damaged int64  `json:"damaged"` // blocks that were wrong, and are forgotten
	Error   string `json:"error,omitempty"`
}

// ErrNoMatch: no version of the store is meant.
var ErrNoMatch = errors.New("nothing in the block store has that name")

// Cache does r with store, whose owner this process is.
//
// Errors: ErrNoMatch; those of the store; ctx's.
func Cache(ctx context.Context, store *blockstore.Store, r CacheRequest) (*CacheAnswer, error) {
	entries, err := cacheEntries(store)
	if err != nil {
		return nil, err
	}
	chosen, err := r.choose(entries)
	if err != nil {
		return nil, err
	}
	a := &CacheAnswer{Dir: store.Dir(), Limit: store.Limits().Size}
	switch r.Op {
	case "ls":
		a.Entries = chosen
		return a, nil
	case "rm":
		return a, a.remove(store, chosen)
	case "unpin":
		return a, a.unpin(store, chosen)
	case "gc":
		c, err := store.Collect()
		a.Freed = c.Bytes
		return a, err
	case "verify":
		return a, a.verify(ctx, store, chosen)
	}
	return nil, fmt.Errorf("unknown operation %q", r.Op)
}

func cacheEntries(store *blockstore.Store) (out []CacheEntry, err error) {
	all, err := store.AllEntries()
	for _, e := range all {
		out = append(out, CacheEntry{
			ID: e.Key.String(), URL: shownPlace(e.Place), Length: e.Length, Local: e.Bytes, Shared: e.Bytes - e.Own,
			Disk: e.Disk, State: e.State.String(), Used: e.Used, InUse: e.Held, Pinned: e.Kept,
		})
	}
	slices.SortFunc(out, func(a, b CacheEntry) int {
		return cmp.Or(strings.Compare(a.URL, b.URL), a.Used.Compare(b.Used), strings.Compare(a.ID, b.ID))
	})
	return out, err
}

// shownPlace is the URL of a place.
func shownPlace(p blockstore.Place) string {
	u, err := url.Parse(string(p))
	if err != nil || u.Host == "" {
		return ""
	}
	u.User = nil
	return u.String()
}

// choose are the entries that r means.
func (r CacheRequest) choose(entries []CacheEntry) ([]CacheEntry, error) {
	if len(r.Match) == 0 && (r.Op != "rm" || r.All) {
		return entries, nil
	}
	var out []CacheEntry
	for _, pattern := range r.Match {
		found := false
		for _, e := range entries {
			if e.matches(pattern) {
				found = true
				if !slices.Contains(out, e) {
					out = append(out, e)
				}
			}
		}
		if !found {
			return nil, fmt.Errorf("%w: %s", ErrNoMatch, pattern)
		}
	}
	return out, nil
}

// shortestID is how much of an ID names a version.
const shortestID = 8

func (e CacheEntry) matches(pattern string) bool {
	if len(pattern) >= shortestID && strings.HasPrefix(e.ID, pattern) || e.URL == pattern || e.URL == pattern+".zsync" {
		return true
	}
	name := path.Base(e.URL)
	for _, n := range []string{name, strings.TrimSuffix(name, ".zsync")} {
		if ok, err := path.Match(pattern, n); ok && err == nil && e.URL != "" {
			return true
		}
	}
	return false
}

func (a *CacheAnswer) unpin(store *blockstore.Store, chosen []CacheEntry) error {
	for _, e := range chosen {
		key, err := blockstore.ParseKey(e.ID)
		if err == nil && e.Pinned {
			err = store.Keep(key, false)
			a.Entries = append(a.Entries, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *CacheAnswer) remove(store *blockstore.Store, chosen []CacheEntry) error {
	before := store.Stats().DiskBytes
	var errs []error
	for _, e := range chosen {
		key, err := blockstore.ParseKey(e.ID)
		if err == nil {
			err = store.Remove(key)
		}
		switch {
		case err == nil, errors.Is(err, blockstore.ErrNotFound):
			a.Entries = append(a.Entries, e)
		case errors.Is(err, blockstore.ErrInUse):
			a.Kept = append(a.Kept, e)
		default:
			errs = append(errs, err)
		}
	}
	a.Freed = max(before-store.Stats().DiskBytes, 0)
	return errors.Join(errs...)
}

func (a *CacheAnswer) verify(ctx context.Context, store *blockstore.Store, chosen []CacheEntry) error {
	for _, e := range chosen {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r := CacheResult{CacheEntry: e}
		audit, err := checkVersion(ctx, store, e.ID)
		if err != nil && ctx.Err() != nil { // it was cut short, and nothing is wrong
			return context.Cause(ctx)
		}
		if err != nil {
			r.Error = err.Error()
		}
		r.Blocks, r.Damaged = audit.Blocks, audit.Damaged
		if err == nil {
			r.State = audit.State.String()
		}
		a.Checked = append(a.Checked, r)
	}
	return nil
}

func checkVersion(ctx context.Context, store *blockstore.Store, id string) (whole.Audit, error) {
	key, err := blockstore.ParseKey(id)
	if err != nil {
		return whole.Audit{}, err
	}
	v, err := store.Reopen(key)
	if err != nil {
		return whole.Audit{}, err
	}
	v.Hold()
	defer v.Release()
	audit, err := whole.Check(ctx, v, nil)
	return audit, errors.Join(err, v.Close())
}
