package zsyncclient

import "errors"

// How many ranges a request has.
const (
	// maxRanges keeps the Range header below 3,100 bytes, whatever the offsets.
	// (nginx takes 8 KiB of a header line; Apache answers more than 200 ranges
	// with the whole file; lighttpd sends the first 10 of however many.)
	maxRanges = 100
	// fewRanges is what zsync 0.6.2 asks for, and so what servers have met.
	fewRanges = 20
	// Tries that are under way side by side for one call of FetchRuns: with
	// several ranges each, and with single ones.
	severalBeside = 3
	singleBeside  = 4
)

// atOnce is what is known of a host's answers to several ranges in one request.
// The zero value knows nothing.
type atOnce struct {
	most   int  // ranges in a request; 0: maxRanges
	proved int  // that it answered well
	doubt  bool // most is 1, but a single range has to show that the number was the fault
}

// share is how many of runs (2 or more) the next request asks for, where a host
// gets most (more than 1) at once and begun requests were made before: evenly, over
// as many requests as may run side by side and are no more than fewRanges in each
// would take. A last run that zsync would ask for alone, which spares the frame of
// a part but costs the header of an answer, takes no request more.
func share(runs, most, begun int) int {
	requests := max(ceil(runs, most), min(severalBeside-begun, ceil(runs-1, fewRanges)), 1)
	return ceil(runs, requests)
}

func ceil(n, d int) int { return (n + d - 1) / d }

// beside is how many requests of one call of FetchRuns the host gets side by
// side: one until it has shown what it answers.
func (h *host) beside() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch o := &h.atOnce; {
	case o.doubt:
		return 1
	case o.most == 1:
		return singleBeside
	case o.proved > 1:
		return severalBeside
	}
	return 1
}

// rangesAtOnce is how many ranges a request may have, and how many were answered
// well.
func (h *host) rangesAtOnce() (most, proved int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.atOnce.most == 0 {
		return maxRanges, h.atOnce.proved
	}
	return h.atOnce.most, h.atOnce.proved
}

// answeredRanges: n ranges of one request were answered well.
func (h *host) answeredRanges(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.atOnce.proved = max(h.atOnce.proved, n)
}

// limitRanges: for good, a request has at most n ranges.
func (h *host) limitRanges(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.atOnce = atOnce{most: max(n, 1), proved: min(h.atOnce.proved, n)}
}

// refusedRanges: a request with n ranges was refused. Fewer are tried once, then
// a single one, whose answer shows whether the number of ranges was the reason.
func (h *host) refusedRanges(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := &h.atOnce
	switch {
	case o.most == 1:
	case n <= fewRanges:
		*o = atOnce{most: 1, doubt: true}
	case o.proved < n:
		o.most = max(o.proved, fewRanges)
	default:
		*o = atOnce{most: fewRanges}
	}
}

// unsuspect: what a single range was to show has another reason.
func (h *host) unsuspect() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.atOnce.doubt {
		h.atOnce = atOnce{}
	}
}

// answeredOneRange: a request with one range had the outcome err. When it failed
// as well, the number of ranges was not the reason.
func (h *host) answeredOneRange(err error) {
	var status *StatusError
	var backoff *backoffError
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !h.atOnce.doubt || errors.As(err, &backoff) || errors.Is(err, ErrWrongBlocks) || errors.Is(err, errAskAgain):
	case err == nil:
		h.atOnce.doubt = false
	case temporary(err) || errors.As(err, &status):
		h.atOnce = atOnce{}
	}
}
