package zsyncclient

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/inflate"
)

// Local is what the owner of a Source has of the target. Where a gzip copy is
// decoded from the middle, it is asked for the 32 KiB before that. Safe for
// concurrent use.
type Local interface {
	// Has says whether all bytes of r are here.
	Has(r format.Range) bool
	// ReadAt fills p from byte off of the target, or fails.
	ReadAt(p []byte, off int64) (int, error)
}

// SetLocal tells what is here. It comes before any fetch. Without it, gzip copies
// are decoded from places that need nothing before them.
func (s *Source) SetLocal(l Local) { s.packed.local = l }

// packedCopies is what is known of the gzip copies of a Source's target, which are
// all the same file.
type packedCopies struct {
	local Local
	zmap  func() *format.ZMap // nil: they cannot be read in part

	mu         sync.Mutex
	noRestarts bool                   // a flush kept its history; guarded by mu
	wrong      bool                   // the copies are not what the map tells of; guarded by mu
	forgetful  bool                   // what is delivered is not here afterwards; guarded by mu
	unreadable time.Time              // until then, nothing is read of what is here; guarded by mu
	guess      int64                  // how much of a deflate block is fetched for its header; guarded by mu
	headers    map[int][]byte         // starts of deflate blocks, by the number of their point; guarded by mu
	decodings  map[*decoding]struct{} // under way; guarded by mu
	moved      chan struct{}          // closed and replaced when a decoding came further or ended; guarded by mu
}

// decoding is one under way: it has come to at and goes on to end. Both are
// offsets in the target. Guarded by packedCopies.mu.
type decoding struct {
	at, end int64
	held    bool // in the background: it may wait for those in the foreground, so they do not for it
}

const (
	// headerGuess is how much of a deflate block is fetched for its header. The
	// longest that can be is about 320 bytes.
	headerGuess, headerMost = 200, 400
	// headersKept bounds packedCopies.headers.
	headersKept = 1024
	// spanGap is the longest gap between two ranges of a copy that is passed by, in
	// bytes: the frame of a part takes more.
	spanGap = 64
	// worthWaiting is how much is not fetched and decoded twice when it is on its way;
	// from a restart on, which saves a wait for the end of that way, restartWaiting.
	worthWaiting, restartWaiting = 16 << 10, 512 << 10
	// historyNear is how far before a byte its history and that of a point a bit
	// before it begin, at most.
	historyNear = inflate.WindowSize + 8<<10
	// farPause is how long it takes fetches that begin together to tell of each other.
	farPause = 20 * time.Millisecond
	// unreadableFor is how long nothing more is read of what is here after that failed:
	// meanwhile copies are decoded from where that needs nothing.
	unreadableFor = time.Minute
)

func (s *Source) initPacked() {
	s.packed.guess = headerGuess
	s.packed.headers = map[int][]byte{}
	s.packed.decodings = map[*decoding]struct{}{}
	s.packed.moved = make(chan struct{})
	s.packed.zmap = sync.OnceValue(func() *format.ZMap {
		if len(s.header.ZMap) == 0 || len(s.header.ZURLs) == 0 {
			return nil
		}
		m, err := format.NewZMap(s.header.ZMap, s.geo.Length)
		if err != nil {
			s.c.warn(&refusal{reason: "the gzip copy can be read as a whole only: the control file's Z-Map2 is wrong", err: err})
			return nil
		}
		return m
	})
}

// usableMap is the map, if there is one that is believed.
func (s *Source) usableMap() *format.ZMap {
	s.packed.mu.Lock()
	wrong := s.packed.wrong
	s.packed.mu.Unlock()
	if wrong {
		return nil
	}
	return s.packed.zmap()
}

// readable says whether what is here can be read.
func (p *packedCopies) readable() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.local != nil && !time.Now().Before(p.unreadable)
}

// read is what is here of w, which was here, or was to come before. Errors:
// errAskAgain, of another place to begin.
func (p *packedCopies) read(w format.Range) ([]byte, error) {
	window := make([]byte, w.Length())
	if len(window) == 0 {
		return window, nil
	}
	_, err := p.local.ReadAt(window, w.Start)
	here := p.local.Has(w)
	if here && err == nil {
		return window, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if here {
		p.unreadable = time.Now().Add(unreadableFor)
	} else { // where there is no room, it does not stay
		p.forgetful = true
	}
	return nil, errAskAgain
}

// header is what is known of the start of the deflate block at point i.
func (p *packedCopies) header(i int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.headers[i]
}

// headerGuess is how many bytes of a block to fetch for its header.
func (p *packedCopies) headerGuess() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.guess
}

// headerShort: a header is longer than what was fetched of it. Once that is worth
// another try.
func (p *packedCopies) headerShort() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.guess == headerMost {
		return errNotAsMapped
	}
	p.guess = headerMost
	clear(p.headers)
	return errAskAgain
}

func (p *packedCopies) keepHeader(i int, data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for old := range p.headers {
		if len(p.headers) < headersKept {
			break
		}
		delete(p.headers, old)
	}
	p.headers[i] = data
}

// begin notes a decoding; it is to be ended.
func (p *packedCopies) begin(r format.Range, pri Priority) *decoding {
	d := &decoding{at: r.Start, end: r.End, held: pri == Background}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.decodings[d] = struct{}{}
	return d
}

// move says that d came to at; at its end, it is over.
func (p *packedCopies) move(d *decoding, at int64, over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d.at = at
	if over {
		delete(p.decodings, d)
	}
	close(p.moved)
	p.moved = make(chan struct{})
}

// extend moves d's end.
func (p *packedCopies) extend(d *decoding, end int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d.end = end
}

// flows says that the bytes for list come, with nothing to hold them back.
func (p *packedCopies) flows(list []*decoding) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range list {
		d.held = false
	}
}

// coming says whether other decodings are to bring some of the history of byte off, for
// one of that priority, and is closed when one has moved.
func (p *packedCopies) coming(off int64, pri Priority) (moved <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for d := range p.decodings {
		if d.at < off && d.end > off-historyNear && !(d.held && pri == Foreground) {
			return p.moved
		}
	}
	return nil
}

// restarts says whether there are points after the first that seem to need no history.
func (s *Source) restarts(m *format.ZMap) bool {
	s.packed.mu.Lock()
	defer s.packed.mu.Unlock()
	return !s.packed.noRestarts && m.LastRestart(m.Len()-3) > 0
}

// awaitHistory is spanFor, after what is being decoded already and would have to
// be decoded again has come; nil without wait when that has not come. Only what comes
// first in a request may wait, and only for what begins before it: so nobody waits for
// who waits for him.
func (s *Source) awaitHistory(ctx context.Context, m *format.ZMap, run format.BlockRange, earlier []format.BlockRange, pri Priority, wait bool) (*span, error) {
	off := s.geo.Offset(run.Start)
	paused := false
	for {
		moved := s.packed.coming(off, pri)
		final := moved == nil && (paused || !wait)
		sp, err := s.spanFor(ctx, m, run, earlier, func(p format.ZPoint) bool { return !final && off-p.Out > restartWaiting })
		if err != nil {
			return nil, err
		}
		most := int64(worthWaiting)
		if sp.restart || s.restarts(m) {
			most = restartWaiting
		}
		if final || off-sp.start.Out <= most {
			return &sp, nil
		}
		if !wait {
			return nil, nil
		}
		var pause <-chan time.Time
		if moved == nil { // who fetches what is before this may be about to begin
			pause, paused = time.After(farPause), true
		}
		select {
		case <-moved:
		case <-pause:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// openSpan prepares the decoder for sp, of which r reads the bytes.
func (s *Source) openSpan(m *format.ZMap, sp span, d *inflate.Decoder, r spanReader) error {
	var window []byte
	if !sp.restart {
		var err error
		if window, err = s.packed.read(windowBefore(sp.start)); err != nil {
			return err
		}
	}
	if sp.block < 0 {
		return r.explain(d.Start(r, sp.start.Bit, window))
	}
	header := s.packed.header(sp.block)
	err := d.Enter(header, m.At(sp.block).Bit, r, sp.start.Bit, window)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return s.packed.headerShort()
	}
	return r.explain(err)
}
