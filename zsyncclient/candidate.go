package zsyncclient

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

// How long a candidate is left alone, doubling with each time in a row: after bytes or
// a length that are not the target's, for that is how it looks while a publisher
// replaces a target and its control file one after the other, and after any fault of a
// candidate that was right before; after a fault of one that never was, which may be
// one bad reply among many, too. And after it answered a range request with the whole
// file.
const (
	firstDoubt = 100 * time.Millisecond
	firstBan   = time.Second
	longBan    = time.Minute // from this on, each of a row is told of
	maxBan     = time.Hour
	maxDoubt   = 15 * time.Second // of a candidate that was right before
	noRangesIn = 10 * time.Minute
)

// candidate is one place where the target may be. All but url, text
// and gzip are guarded by Source.mu.
type candidate struct {
	url     *url.URL // nil: refused
	text    string   // url as errors show it
	gzip    bool     // the target is there compressed
	guessed bool     // the control file names others, and not this one
	refused error    // not nil: never to be contacted

	accepted bool   // its length and blocks have agreed
	ranged   bool   // and it answered a range with a range
	etag     string // strong; "" when there is none or it is not to be used
	etagOff  int    // times that If-Range was answered with the whole file
	wholes   int    // whole files for ranges since the last range

	banned    time.Time     // until then
	ban       time.Duration // the last one; 0: none since it was right
	noRanges  time.Time     // until then
	failures  int           // temporary ones in a row
	lastFault error         // why it was banned
}

// judge takes the outcome of one try at cand in: how it is treated from now on.
// The result is the error that the caller should keep as the last failure.
func (s *Source) judge(cand *candidate, err error) error {
	s.mu.Lock()
	var backoff *backoffError
	told := false
	switch {
	case err == nil && time.Now().Before(cand.banned):
		// A fetch beside this one found it wrong meanwhile: that stands.
	case err == nil:
		cand.accepted, cand.failures, cand.ban, cand.lastFault = true, 0, 0, nil
		s.current = cand
	case errors.As(err, &backoff), errors.Is(err, errAskAgain):
	case errors.Is(err, ErrNoRanges):
		cand.noRanges = time.Now().Add(noRangesIn)
	case temporary(err) && !errors.Is(err, ErrWrongBlocks):
		cand.failures++
	default:
		switch {
		case cand.accepted && IsMismatch(err):
			err = &refusal{reason: ErrTargetChanged.Error(), err: &changedError{err}}
		case cand.accepted && isOdd(err):
			err = &refusal{err: &oddError{err}}
		}
		told = cand.leave(err)
	}
	// Alone it is the error that the caller gets; else nobody hears of it.
	warn := told && !cand.guessed && len(s.candidates) > 1
	s.mu.Unlock()
	if warn {
		s.c.warn(&refusal{reason: "source " + cand.text + " is left alone for a while", err: err})
	}
	return err
}

// leave bans cand for err, longer each time, unless another try already did: several
// under way at once are one fault. It says whether that is worth telling: the first
// time in a row, and the long ones. Source.mu is held.
func (cand *candidate) leave(err error) (tell bool) {
	now := time.Now()
	cand.etag = ""
	if cand.lastFault != nil && now.Before(cand.banned) {
		return false
	}
	first, most := firstBan, maxBan
	if cand.accepted || IsMismatch(err) {
		first = firstDoubt
	}
	if cand.accepted { // one rotten block that is asked for again and again is not all of it
		most = maxDoubt
	}
	tell = cand.ban == 0
	cand.ban = min(max(2*cand.ban, first), most)
	cand.banned, cand.lastFault = now.Add(cand.ban), err
	return tell || cand.ban >= longBan
}

// changedError is ErrTargetChanged and what showed it.
type changedError struct{ err error }

func (e *changedError) Error() string   { return e.err.Error() }
func (e *changedError) Unwrap() []error { return []error{ErrTargetChanged, e.err} }

// pick is the candidate to try next: one whose host is not in backoff, with the
// fewest failures, the one used last, the first. stream is for whole bodies: then
// a gzip copy is picked when there is no other, or none but what never served and
// is failing. For ranges, a copy with a map is picked where it takes fewer bytes for
// runs, or there is no other. The look for that ends with ctx.
func (s *Source) pick(ctx context.Context, stream bool, runs []format.BlockRange) (*candidate, error) {
	u := s.usable(stream)
	best, in := s.best(u.plain)
	if packed, packedIn := s.best(u.packed); packed != nil {
		switch {
		case best == nil:
			return packed, nil
		case s.working(packed) && packedIn <= in && s.packedPays(ctx, runs), s.working(packed) && in > 0 && packedIn == 0:
			return packed, nil
		}
	}
	unproved := best == nil || in > 0 && !u.ranged
	switch {
	case best == nil && len(u.copies) == 0:
		return nil, u.err()
	case unproved && stream && len(u.copies) > 0 && !u.accepted:
		best, _ = s.best(u.copies)
	case unproved && !stream && u.whole:
		// What could serve ranges never did, and is failing.
		return nil, u.err()
	}
	return best, nil
}

// working says whether cand's last try did not fail.
func (s *Source) working(cand *candidate) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cand.failures == 0
}

// best is the first of list to be tried, and when it may be; nil of none.
func (s *Source) best(list []*candidate) (best *candidate, bestIn time.Duration) {
	for _, cand := range list {
		in := s.hostOf(cand).readyIn()
		if best == nil || s.better(cand, in, best, bestIn) {
			best, bestIn = cand, in
		}
	}
	return best, bestIn
}

// usable are the candidates that may be tried now.
type usable struct {
	plain, copies    []*candidate // copies: gzip copies, for whole bodies
	packed           []*candidate // gzip copies, for parts
	accepted, ranged bool         // one of plain was right; served ranges
	whole            bool         // there are others, for whole bodies
	recovers         time.Time    // when one that served ranges, and is left alone for a moment, may be asked again
	failed           SourceError  // why not the others
}

// err is what holds when nothing usable serves.
func (u *usable) err() error {
	switch {
	case u.whole && !u.recovers.IsZero():
		return &recoversError{u.recovers}
	case u.whole:
		return &noRangesError{u.failed}
	}
	return &u.failed
}

func (s *Source) usable(stream bool) *usable {
	now := time.Now()
	mapped := !stream && s.usableMap() != nil
	s.mu.Lock()
	defer s.mu.Unlock()
	u := &usable{}
	var guesses []CandidateError
	defer func() { u.failed.Candidates = append(u.failed.Candidates, guesses...) }()
	fail := func(cand *candidate, err error) {
		if cand.guessed {
			guesses = append(guesses, CandidateError{cand.text, err})
			return
		}
		u.failed.Candidates = append(u.failed.Candidates, CandidateError{cand.text, err})
	}
	for _, cand := range s.candidates {
		switch {
		case cand.refused != nil:
			fail(cand, cand.refused)
		case now.Before(cand.banned):
			if cand.ranged && cand.ban <= firstBan && (u.recovers.IsZero() || cand.banned.Before(u.recovers)) {
				u.recovers = cand.banned
			}
			fail(cand, cand.lastFault)
		case cand.gzip && stream:
			u.copies = append(u.copies, cand)
		case cand.gzip && !mapped:
			u.whole = true
			fail(cand, errGzipCopy)
		case !stream && now.Before(cand.noRanges):
			u.whole = true
			fail(cand, errWholeOnly)
		case cand.gzip:
			u.packed = append(u.packed, cand)
		default:
			u.plain = append(u.plain, cand)
			u.accepted = u.accepted || cand.accepted
			u.ranged = u.ranged || cand.ranged
		}
	}
	return u
}

// errWholeOnly is ErrNoRanges of one candidate, which says nothing of the others.
var errWholeOnly = errors.New("the server answers range requests with the whole file")

// errGzipCopy: why a candidate that is a gzip copy serves no ranges.
var errGzipCopy = errors.New("it is a gzip copy without a usable map, which is read as a whole only")

// noRangesError is ErrNoRanges with what is wrong with the other candidates.
type noRangesError struct{ SourceError }

func (e *noRangesError) Is(target error) bool { return target == ErrNoRanges }

// recoversError: what serves ranges is left alone until then. To stream all of the target
// from another would cost more than to wait.
type recoversError struct{ until time.Time }

func (e *recoversError) Error() string { return "the source with ranges is left alone for a moment" }

// better says whether a is to be tried before b.
func (s *Source) better(a *candidate, aIn time.Duration, b *candidate, bIn time.Duration) bool {
	const same = 50 * time.Millisecond // two looks at one host's slot
	if (aIn == 0) != (bIn == 0) || aIn-bIn > same || bIn-aIn > same {
		return aIn < bIn
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.failures != b.failures {
		return a.failures < b.failures
	}
	return a == s.current && b != s.current
}

// hostOf is the host that cand's next request goes to.
func (s *Source) hostOf(cand *candidate) *host {
	if final := s.c.finals.lookup(cand.url); final != nil {
		return s.c.host(final)
	}
	return s.c.host(cand.url)
}

// ifRange is the validator to send with cand's next request.
func (s *Source) ifRange(cand *candidate) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cand.etagOff >= 2 {
		return ""
	}
	return cand.etag
}

// learn takes the header of cand's good range answer in.
func (s *Source) learn(cand *candidate, a *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cand.ranged, cand.wholes, cand.noRanges = true, 0, time.Time{}
	cand.etag = strongETag(validatorsOf(a.header, a.length).ETag)
}

// distrustETag: the whole file came for If-Range. The validator is only a
// suspicion (two edges of a network may disagree), the blocks decide.
func (s *Source) distrustETag(cand *candidate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cand.etag = ""
	cand.etagOff++
}

// doubtWhole says whether a whole file for a range is to be asked again: once, since
// one bad edge of a network must not lead to a download of everything.
func (s *Source) doubtWhole(cand *candidate) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	cand.wholes++
	return cand.wholes == 1
}
