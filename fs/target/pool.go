package target

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

const (
	// lingerLimit is how many targets stay open without a user, and lingerBlocks
	// how many blocks they may have together, which is what their memory goes by.
	lingerLimit, lingerBlocks = 64, 1 << 26
	// suspectPause and suspectPauseLimit are how long a suspect version rests
	// before it is fetched again.
	suspectPause, suspectPauseLimit = time.Minute, time.Hour
)

// Pool opens targets; those of the same control file are shared. Safe for
// concurrent use.
type Pool struct {
	store   *blockstore.Store
	client  *zsyncclient.Client
	options atomic.Pointer[Options]
	drops   sync.WaitGroup // targets being closed in the background
	totals  totals

	mu      sync.Mutex
	entries map[poolKey]*entry          // guarded by mu
	rests   map[blockstore.Key]restPlan // guarded by mu: suspect versions
	looks   map[poolKey]time.Time       // guarded by mu: when records were looked at last
	leaving map[*entry]struct{}         // guarded by mu: thrown away, but in use
	closed  bool                        // guarded by mu
}

// poolKey tells targets apart: the same version from two URLs has two sources.
type poolKey struct {
	version blockstore.Key
	url     string
}

type entry struct {
	ready  chan struct{} // closed when target or err is set
	target *Target
	err    error
	users  int         // guarded by Pool.mu
	linger *time.Timer // guarded by Pool.mu; set while users is 0
	idle   time.Time   // guarded by Pool.mu; since when users is 0
}

// restPlan is when a suspect version may be fetched anew.
type restPlan struct {
	pause time.Duration
	until time.Time
}

// NewPool is a pool of targets whose blocks are kept in store and fetched by client.
func NewPool(store *blockstore.Store, client *zsyncclient.Client, o Options) *Pool {
	p := &Pool{
		store:   store,
		client:  client,
		entries: map[poolKey]*entry{},
		rests:   map[blockstore.Key]restPlan{},
		looks:   map[poolKey]time.Time{},
		leaving: map[*entry]struct{}{},
	}
	o = o.withDefaults()
	p.options.Store(&o)
	return p
}

// SetOptions has change put other values into the options, which targets have that are
// opened from now on. It may change ReadDeadline, Share, Seeds, Fill and Strict.
func (p *Pool) SetOptions(change func(*Options)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := *p.options.Load()
	change(&o)
	o = o.withDefaults()
	p.options.Store(&o)
}

// place is where the store is told that ctl came from.
func (p *Pool) place(ctl *zsyncclient.Control) blockstore.Place {
	return blockstore.Place(p.client.Place(ctl))
}

// VersionKey is the store's name of ctl's version: that goes by its header, and by where it
// is, but for the query of its URL.
func (p *Pool) VersionKey(ctl *zsyncclient.Control) blockstore.Key {
	return blockstore.HeaderKey(ctl.Raw, ctl.Header, p.place(ctl))
}

// Open opens the target that ctl describes, without a request. Every Open needs
// one Target.Close. Errors: those of the store; ErrClosed.
func (p *Pool) Open(ctl *zsyncclient.Control) (*Target, error) {
	key := poolKey{p.VersionKey(ctl), ctl.URL.String()}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	e, ok := p.entries[key]
	if ok && p.mayKeepNow(e) {
		p.replace(key, e)
		ok = false
	}
	if ok {
		if e.users++; e.users == 1 && e.target != nil {
			e.target.version.Hold()
		}
		if e.linger != nil {
			e.linger.Stop()
			e.linger = nil
		}
		p.mu.Unlock()
		<-e.ready
		return e.target, e.err
	}
	e = &entry{ready: make(chan struct{}), users: 1}
	p.entries[key] = e
	p.mu.Unlock()
	p.open(key, e, ctl)
	return e.target, e.err
}

func (p *Pool) open(key poolKey, e *entry, ctl *zsyncclient.Control) {
	defer close(e.ready)
	e.target, e.err = newTarget(p.store, p.client, ctl, *p.options.Load())
	if e.err != nil {
		p.mu.Lock()
		delete(p.entries, key)
		p.mu.Unlock()
		return
	}
	e.target.totals = &p.totals
	e.target.release = func() { p.release(key, e) }
	e.target.suspected = func() { p.rest(key.version) }
	e.target.abandoned = func() { p.abandon(key, e) }
	e.target.mayLook = func() bool { return p.mayLook(key) }
	p.reconsider(key.version, e.target)
	t := e.target
	if t.version.KnownCount() == t.geometry.BlockCount() {
		t.startVerification() // the last one was cut short
	}
	t.version.Hold()
	t.startSearch()
	t.startFill()
}

// rest notes that a version has just become suspect: it may be fetched anew
// after a pause, which doubles each time.
func (p *Pool) rest(key blockstore.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, other := range p.rests {
		if time.Since(other.until) > suspectPauseLimit {
			delete(p.rests, k) // it has been right since, or nobody asks for it any more
		}
	}
	plan := p.rests[key]
	plan.pause = min(max(2*plan.pause, suspectPause), suspectPauseLimit)
	plan.until = time.Now().Add(plan.pause)
	p.rests[key] = plan
}

// mayLook says whether the records of a target may be looked at once more, and notes
// that they are.
func (p *Pool) mayLook(key poolKey) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, at := range p.looks {
		if time.Since(at) >= lookPause {
			delete(p.looks, k)
		}
	}
	if _, ok := p.looks[key]; ok {
		return false
	}
	p.looks[key] = time.Now()
	return true
}

// abandon has the next Open make another target. Who has e keeps it.
func (p *Pool) abandon(key poolKey, e *entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed && p.entries[key] == e {
		p.replace(key, e)
	}
}

// mayKeepNow says whether the target of e was opened without the store, which has no
// trouble any more. p.mu is held.
func (p *Pool) mayKeepNow(e *entry) bool {
	select {
	case <-e.ready:
		return e.target != nil && e.target.nowhere && p.store.Trouble() == nil
	default:
		return false
	}
}

// replace has the next Open make another target. Who has e keeps it. p.mu is held.
func (p *Pool) replace(key poolKey, e *entry) {
	if e.users > 0 {
		delete(p.entries, key)
		p.leaving[e] = struct{}{}
		return
	}
	if e.linger != nil {
		e.linger.Stop()
	}
	p.drop(key, e)
}

// reconsider lets a suspect version be fetched anew when it has rested, and one
// that is suspect from an earlier run at once.
func (p *Pool) reconsider(key blockstore.Key, t *Target) {
	p.mu.Lock()
	rested := !time.Now().Before(p.rests[key].until)
	p.mu.Unlock()
	if !t.suspect || !rested {
		return
	}
	if err := t.version.Forget(t.geometry.All()); err != nil {
		return
	}
	if err := t.version.SetState(blockstore.Provisional); err == nil {
		t.suspect = false
	}
}

// release takes one user off e; the last leaves the target lingering. A suspect
// one does not linger: its next Open is to reconsider it.
func (p *Pool) release(key poolKey, e *entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.users--; e.users > 0 {
		return
	}
	e.target.version.Release()
	if p.closed {
		return
	}
	p.gatherAgain()
	if e.target.usable() != nil || p.entries[key] != e {
		p.drop(key, e)
		return
	}
	e.idle = time.Now()
	p.linger(key, e)
	for oldKey, old := p.oldestIdle(); old != nil; oldKey, old = p.oldestIdle() {
		old.linger.Stop()
		p.drop(oldKey, old)
	}
}

// Unshown has targets try again that wait for a kernel to give up a file of Show. Never
// blocks on I/O; safe for concurrent use.
func (p *Pool) Unshown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.gatherAgain()
	}
}

// gatherAgain has targets whose blocks could not be brought into one file, because a
// kernel had another one, try again. p.mu is held.
func (p *Pool) gatherAgain() {
	for _, e := range p.entries {
		select {
		case <-e.ready:
			if e.target != nil {
				e.target.gatherAgain()
			}
		default:
		}
	}
}

// linger drops e after Options.Linger, unless it is used again or being
// verified. p.mu is held.
func (p *Pool) linger(key poolKey, e *entry) {
	e.linger = time.AfterFunc(p.options.Load().Linger, func() {
		busy := e.target.busy()
		p.mu.Lock()
		defer p.mu.Unlock()
		switch {
		case e.users > 0 || p.closed || p.entries[key] != e:
		case busy:
			p.linger(key, e)
		default:
			p.drop(key, e)
		}
	})
}

// oldestIdle is the target that has lingered longest, when those that linger are
// more than lingerLimit or lingerBlocks. p.mu is held.
func (p *Pool) oldestIdle() (key poolKey, oldest *entry) {
	idle, blocks := 0, int64(0)
	for k, e := range p.entries {
		if e.users > 0 || e.linger == nil {
			continue
		}
		idle++
		blocks += e.target.geometry.BlockCount()
		if oldest == nil || e.idle.Before(oldest.idle) {
			key, oldest = k, e
		}
	}
	if idle <= lingerLimit && blocks <= lingerBlocks {
		return poolKey{}, nil
	}
	return key, oldest
}

// drop closes e's target in the background. p.mu is held.
func (p *Pool) drop(key poolKey, e *entry) {
	if p.entries[key] == e {
		delete(p.entries, key)
	}
	delete(p.leaving, e)
	p.drops.Add(1)
	go func() {
		defer p.drops.Done()
		if err := e.target.shut(); err != nil {
			p.options.Load().Warn(e.target.where(), fmt.Errorf("close: %w", err))
		}
	}()
}

// Close ends all fetches, makes every target's reads fail and closes them.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	entries := slices.Collect(maps.Values(p.entries))
	entries = slices.AppendSeq(entries, maps.Keys(p.leaving))
	p.entries = map[poolKey]*entry{}
	p.leaving = map[*entry]struct{}{}
	p.mu.Unlock()
	var errs []error
	for _, e := range entries {
		<-e.ready
		if e.target != nil {
			errs = append(errs, e.target.shut())
		}
	}
	p.drops.Wait()
	return errors.Join(errs...)
}

// Local is what is here of a version.
type Local struct {
	Blocks int64 // count
	Shared int64 // those of them that lie in other versions' files
	State  blockstore.State
}

// Local looks up what is here of ctl's version, open or not, and makes nothing.
func (p *Pool) Local(ctl *zsyncclient.Control) Local {
	peek, err := p.store.Peek(p.VersionKey(ctl))
	if err != nil {
		return Local{}
	}
	return Local{Blocks: peek.Blocks, Shared: peek.Shared, State: peek.State}
}

// SourceURL is where blocks of ctl's target come from, as far as it is known:
// the URL in use, else the first candidate. It has no credentials and no query.
func (p *Pool) SourceURL(ctl *zsyncclient.Control) string {
	p.mu.Lock()
	e := p.entries[poolKey{p.VersionKey(ctl), ctl.URL.String()}]
	p.mu.Unlock()
	if e != nil {
		if <-e.ready; e.err == nil {
			return e.target.source.URL()
		}
	}
	return p.client.NewSource(ctl, p.options.Load().Mirrors).URL()
}

// Stats is a snapshot of one open target.
type Stats struct {
	URL           string // of its control file, without credentials
	Length        int64
	Blocks, Local int64 // counts
	Shared        int64 // blocks that lie in other versions' files; a count
	Fetched       int64 // bytes of blocks that arrived since it was opened
	Reused        int64 // bytes of blocks that were found here since
	Searching     bool  // for blocks in what is here
	Filling       bool  // all of it is being fetched
	Flights       int   // fetches under way
	Users         int   // handles that have it open
	State         string
}

// Stats lists the open targets.
func (p *Pool) Stats() []Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Stats
	for _, e := range p.entries {
		select {
		case <-e.ready:
		default:
			continue
		}
		if e.target == nil {
			continue
		}
		s := e.target.Stats()
		s.Users = e.users
		out = append(out, s)
	}
	return out
}

// Stats is a snapshot of t; Users is left 0.
func (t *Target) Stats() Stats {
	t.mu.Lock()
	flights, filling := len(t.flights), t.filling
	t.mu.Unlock()
	return Stats{
		URL:       t.where(),
		Length:    t.geometry.Length,
		Blocks:    t.geometry.BlockCount(),
		Local:     t.version.KnownCount(),
		Shared:    t.version.Shares(),
		Fetched:   t.fetched.Load(),
		Reused:    t.reused.Load(),
		Filling:   filling,
		Searching: t.searching(),
		Flights:   flights,
		State:     t.version.State().String(),
	}
}
