package rangetest

import (
	"net/http"
	"strings"
	"time"
)

// Fault is what a rule does to an answer.
type Fault int

// The faults. Fields of Rule that a fault uses are named beside it.
const (
	// None only adds Rule.Header and Rule.Delay.
	None Fault = iota
	// IgnoreRange answers 200 with the whole file; with NoLength chunked.
	IgnoreRange
	// ShortBody announces the right length and closes after After bytes.
	ShortBody
	// CleanShort sends After bytes, chunked, as if that were all.
	CleanShort
	// ContentRange answers 206 with the right bytes and Text as Content-Range.
	ContentRange
	// ETag answers with Text as the file's ETag, also in conditions.
	ETag
	// Stall sends After bytes and then nothing, until the client goes away.
	Stall
	// StallHeader sends nothing at all.
	StallHeader
	// Drip sends one byte every Delay.
	Drip
	// Gzip sends the range compressed, with Content-Encoding.
	Gzip
	// Redirect answers Status (default 302) with Text as Location.
	Redirect
	// Status answers Status with a short text.
	Status
	// Flip inverts the byte at offset After of the file, and every Every bytes from there.
	Flip
	// Reset resets the connection after After bytes of the body.
	Reset
	// Endless sends the body and then zeros without end, chunked.
	Endless
	// LongBody sends Text after the body, chunked.
	LongBody
	// Multipart answers a single range as multipart/byteranges.
	Multipart
	// LoginPage answers 200 with a page of HTML.
	LoginPage
	// NoLength answers 200 with the whole file, chunked.
	NoLength
)

// Rule says which requests get a fault. The first rule that matches is used.
type Rule struct {
	// Path that the rule is for (decoded); "" for all; one that ends in "*" for
	// all that start so.
	Path string
	// Skip so many matching requests, then break Times of them; 0 for all.
	Skip, Times int
	// Several matches only requests for so many ranges or more; 0 for all.
	Several int
	// Whole answers a range with the whole file, whatever the fault.
	Whole bool

	Fault  Fault
	After  int64
	Every  int64
	Status int
	Text   string
	// Header is added to the answer.
	Header http.Header
	// Frame changes an answer to several ranges before it is sent; nil: as it is.
	Frame func(*Frame)
	// Delay before the header, or between the bytes of Drip.
	Delay time.Duration
}

type activeRule struct {
	Rule
	seen int
}

// Add adds a rule behind those that are there.
func (s *Server) Add(r Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, &activeRule{Rule: r})
}

// ClearRules removes all rules.
func (s *Server) ClearRules() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = nil
}

// match is the rule for r, or nil; s.mu is held.
func (s *Server) match(r *http.Request) *Rule {
	for _, a := range s.rules {
		prefix, any := strings.CutSuffix(a.Path, "*")
		if a.Path != "" && a.Path != r.URL.Path && !(any && strings.HasPrefix(r.URL.Path, prefix)) {
			continue
		}
		if a.Several > 0 && strings.Count(r.Header.Get("Range"), ",")+1 < a.Several {
			continue
		}
		a.seen++
		if a.seen > a.Skip && (a.Times == 0 || a.seen <= a.Skip+a.Times) {
			rule := a.Rule
			return &rule
		}
	}
	return nil
}
