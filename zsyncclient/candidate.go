package zsyncclient

import (
	"errors"
	"net/url"
	"strings"
	"time"
)

// How long a candidate is left alone: after a fault that a retry will not mend,
// doubling, and after it answered a range request with the whole file.
const (
	firstBan   = time.Minute
	maxBan     = time.Hour
	noRangesIn = 10 * time.Minute
)

// candidate is one place where the target may be. All but url and text are
// guarded by Source.mu.
type candidate struct {
	url     *url.URL // nil: refused
	text    string   // url as errors show it
	refused error    // not nil: never to be contacted

	accepted bool   // its length and blocks have agreed
	ranged   bool   // and it answered a range with a range
	etag     string // strong; "" when there is none or it is not to be used
	etagOff  int    // times that If-Range was answered with the whole file
	wholes   int    // whole files for ranges since the last range

	banned    time.Time // until then
	bans      int       // in a row
	noRanges  time.Time // until then
	failures  int       // temporary ones in a row
	lastFault error     // why it was banned
}

// candidatesOf resolves ctl's candidates: each listed URL against the URL that
// was asked for, then against the final one, then the control file's URL
// without ".zsync", then the mirrors. Duplicates are dropped.
func candidatesOf(ctl *Control, mirrors []*url.URL) []*candidate {
	var out []*candidate
	seen := map[string]bool{}
	add := func(u *url.URL, text string, err error) {
		c := &candidate{url: u, text: text, refused: err}
		if u != nil {
			c.text = Redact(u)
			c.refused = checkURL(u)
			text = u.String()
		}
		if c.refused != nil {
			c.refused = &refusal{err: c.refused}
			c.url = nil
		}
		if !seen[text] {
			seen[text] = true
			out = append(out, c)
		}
	}
	bases := []*url.URL{ctl.URL}
	if ctl.Final != nil {
		bases = append(bases, ctl.Final)
	}
	for _, base := range bases {
		for _, ref := range ctl.Header.URLs {
			if strings.TrimSpace(ref) == "" {
				continue
			}
			u, err := resolveListed(base, ref)
			add(u, "URL line of the control file", err)
		}
	}
	own := withoutSuffix(ctl.URL)
	if own != nil {
		add(own, "", nil)
	}
	for _, m := range mirrors {
		if m = mirrorURL(m, own); m != nil {
			add(m, "", nil)
		}
	}
	return out
}

// withoutSuffix is u without ".zsync"; nil when it does not end so.
func withoutSuffix(u *url.URL) *url.URL {
	v := withoutUser(u)
	path, ok := strings.CutSuffix(v.Path, ".zsync")
	if !ok || path == "" || strings.HasSuffix(path, "/") {
		return nil
	}
	v.Path = path
	v.RawPath = strings.TrimSuffix(v.RawPath, ".zsync")
	return v
}

// mirrorURL is where a mirror has the target: a mirror that ends in "/" is a
// folder, in which it has the name that the control file has without ".zsync".
func mirrorURL(m, own *url.URL) *url.URL {
	if m == nil {
		return nil
	}
	m = withoutUser(m)
	if !strings.HasSuffix(m.Path, "/") {
		return m
	}
	if own == nil {
		return nil
	}
	name := own.EscapedPath()
	name = name[strings.LastIndexByte(name, '/')+1:]
	u, err := resolveReference(m, "./"+name)
	if err != nil {
		return nil
	}
	return u
}

// judge takes the outcome of one try at cand in: how it is treated from now on.
// The result is the error that the caller should keep as the last failure.
func (s *Source) judge(cand *candidate, err error) error {
	s.mu.Lock()
	var backoff *backoffError
	warn := false
	switch {
	case err == nil && time.Now().Before(cand.banned):
		// A fetch beside this one found it wrong meanwhile: that stands.
	case err == nil:
		cand.accepted, cand.failures, cand.bans, cand.lastFault = true, 0, 0, nil
		s.current = cand
	case errors.As(err, &backoff), errors.Is(err, errAskAgain):
	case errors.Is(err, ErrNoRanges):
		cand.noRanges = time.Now().Add(noRangesIn)
	case temporary(err) && !errors.Is(err, ErrWrongBlocks):
		cand.failures++
	default:
		if cand.accepted && vanished(err) {
			err = &refusal{reason: ErrTargetChanged.Error(), err: &changedError{err}}
		}
		cand.banned = time.Now().Add(min(firstBan<<min(cand.bans, 10), maxBan))
		cand.bans++
		cand.lastFault, cand.etag = err, ""
		warn = true
	}
	s.mu.Unlock()
	if warn {
		s.c.warn(&refusal{reason: "source " + cand.text + " is left alone for a while", err: err})
	}
	return err
}

// vanished says whether err, of a candidate that was right before, means that
// something else is there now.
func vanished(err error) bool {
	var length *LengthError
	return errors.As(err, &length) || errors.Is(err, ErrWrongBlocks)
}

// changedError is ErrTargetChanged and what showed it.
type changedError struct{ err error }

func (e *changedError) Error() string   { return e.err.Error() }
func (e *changedError) Unwrap() []error { return []error{ErrTargetChanged, e.err} }

// pick is the candidate to try next: one whose host is not in backoff, with the
// fewest failures, the one used last, the first. stream is for whole bodies.
func (s *Source) pick(stream bool) (*candidate, error) {
	usable, ranged, err := s.usable(stream)
	if len(usable) == 0 {
		return nil, err
	}
	best, bestIn := (*candidate)(nil), time.Duration(0)
	for _, cand := range usable {
		in := s.hostOf(cand).readyIn()
		if best == nil || s.better(cand, in, best, bestIn) {
			best, bestIn = cand, in
		}
	}
	if bestIn > 0 && !stream && errors.Is(err, ErrNoRanges) && !ranged {
		// What could serve ranges never did, and is failing.
		return nil, err
	}
	return best, nil
}

// usable are the candidates that may be tried now, and whether one of them has
// served ranges. The error is what holds when none can be used, or, being
// ErrNoRanges, that there are candidates without ranges beside.
func (s *Source) usable(stream bool) (usable []*candidate, ranged bool, err error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	var failed SourceError
	whole := false
	for _, cand := range s.candidates {
		switch {
		case cand.refused != nil:
			failed.Candidates = append(failed.Candidates, CandidateError{cand.text, cand.refused})
		case now.Before(cand.banned):
			failed.Candidates = append(failed.Candidates, CandidateError{cand.text, cand.lastFault})
		case !stream && now.Before(cand.noRanges):
			whole = true
			failed.Candidates = append(failed.Candidates, CandidateError{cand.text, ErrNoRanges})
		default:
			usable = append(usable, cand)
			ranged = ranged || cand.ranged
		}
	}
	if whole {
		return usable, ranged, &noRangesError{failed}
	}
	return usable, ranged, &failed
}

// noRangesError is ErrNoRanges with what is wrong with the other candidates.
type noRangesError struct{ SourceError }

func (e *noRangesError) Is(target error) bool { return target == ErrNoRanges }

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

// doubtWhole says whether a whole file for a range is to be asked again: once
// where ranges came before, since one bad edge of a network must not lead to a
// download of everything.
func (s *Source) doubtWhole(cand *candidate) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	cand.wholes++
	return cand.ranged && cand.wholes == 1
}
