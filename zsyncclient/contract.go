package zsyncclient

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

// Options for New. The zero value works.
type Options struct {
	// Origins are URLs that the user typed. Their scheme, host and port may lie
	// in private or loopback address ranges, and only they get credentials and Header.
	Origins []*url.URL
	// AllowPrivate lets control files and redirects lead to loopback, private and link-local addresses.
	AllowPrivate bool
	// User and Password (basic) and Header are sent to Origins only.
	User   *url.Userinfo
	Header http.Header
	// Netrc is a netrc file's path, looked up by host; "" means none.
	Netrc string
	// CACert, ClientCert, ClientKey are PEM files' paths.
	CACert, ClientCert, ClientKey string
	Insecure   bool
	UserAgent  string        // default "zsyncfs/VERSION"
	StallTimeout time.Duration // no byte for so long = failed attempt. Default 15 s.
	MaxConnsPerHost int      // default 8
	// Warn is told what a person should know (a source banned and why ...), at most once per fact. Default: nobody.
	Warn func(err error)
}

// Client makes all requests of one mount or command. Safe for concurrent use.
type Client struct{ _ int }

// New checks o (reads the certificate and netrc files). 
func New(o Options) (*Client, error) { panic("contract") }

// Close ends all connections; requests under way fail.
func (c *Client) Close() { panic("contract") }

// AddOrigin: one more URL that the user typed (a line of an index file).
func (c *Client) AddOrigin(u *url.URL) { panic("contract") }

// Validators identify one state of a remote document, for conditional requests. JSON-encodable.
type Validators struct {
	ETag         string
	LastModified string
	Length       int64 // total bytes; -1 unknown
}

// ErrNotModified: the document still has the validators given.
var ErrNotModified = errors.New("not modified")
// ErrTargetChanged: the remote control file or target is not the one that was opened.
var ErrTargetChanged = errors.New("the remote file has changed")
// ErrNoRanges: no source of the target answers range requests.
var ErrNoRanges = errors.New("the server does not answer range requests")

// StatusError is an answer with an unexpected HTTP status.
type StatusError struct { URL string; Code int }
func (e *StatusError) Error() string { panic("contract") }

// List fetches and parses the listing at u, following pages (S3), with prev's
// conditional headers when not zero. Bounded: 64 MiB a page, listing.MaxEntries entries.
func (c *Client) List(ctx context.Context, u *url.URL, prev Validators) (*listing.Listing, Validators, error) { panic("contract") }

// Control is a control file as far as it was fetched.
type Control struct {
	// URL is what was asked for, Final where the redirects led.
	URL, Final *url.URL
	Header     *format.Header
	// Raw are the Header.Size bytes of the header.
	Raw        []byte
	// Records are the record bytes that came along, from the first record on. May be empty.
	Records    []byte
	Validators Validators
}

// FetchControl fetches the header of the control file at u, and about prefix
// bytes of it in all (one request when the header fits; more when it does not; on a
// server without ranges it reads the body as it streams and stops). prev zero: unconditional.
// Errors: ErrNotModified; *format.ParseError (wrapped); *StatusError; transport errors.
func (c *Client) FetchControl(ctx context.Context, u *url.URL, prev Validators, prefix int64) (*Control, error) { panic("contract") }

// FetchControlRange fetches bytes r of ctl's file and gives them to deliver in
// order, in pieces of at most 256 KiB, each with its offset. It uses If-Range when there is a
// strong ETag. Errors: ErrTargetChanged when validators or total length are no longer ctl's. A server
// without ranges streams the whole body and delivers only r.
func (c *Client) FetchControlRange(ctx context.Context, ctl *Control, r format.Range, deliver func(off int64, p []byte) error) error { panic("contract") }

// Priority of a fetch: background ones wait while the host has foreground ones under way.
type Priority int
const ( Foreground Priority = iota; Background )

// Source is where the blocks of one target come from: its URL candidates, in
// order of preference, with what is known of each. Safe for concurrent use.
type Source struct{ _ int }

// NewSource resolves the candidates of ctl: (1) each listed URL against URL,
// (2) against Final, (3) the control file's URL without ".zsync"; then mirrors. Duplicates dropped. No request is made.
func (c *Client) NewSource(ctl *Control, mirrors []*url.URL) *Source { panic("contract") }

// Fetch fetches blocks r with single-range requests, verifies each against its
// record and gives runs of whole, verified blocks to deliver in order, as they arrive (about 256 KiB at a time or
// a block, if larger; data is only valid during the call). records returns the records of a sub-range of r; it may wait.
// A candidate that fails is left for the next; a fetch goes on where the last verified block ended.
// Temporary failures (timeouts, resets, 5xx, 429) are retried with backoff until ctx ends.
// Errors: ErrNoRanges when the remaining candidates are right but answer no ranges (then use FetchAll); *SourceError
// naming each candidate with the reason; deliver's or records' error as it is; ctx's.
func (s *Source) Fetch(ctx context.Context, r format.BlockRange, pri Priority,
	records func(context.Context, format.BlockRange) ([]byte, error),
	deliver func(first format.BlockID, data []byte) error) error { panic("contract") }

// FetchAll streams the whole target from block 0 (server without ranges), else like Fetch.
func (s *Source) FetchAll(ctx context.Context,
	records func(context.Context, format.BlockRange) ([]byte, error),
	deliver func(first format.BlockID, data []byte) error) error { panic("contract") }

// Rate is the smoothed rate (bytes/s; 0 unknown) and round trip of the source's current host.
func (s *Source) Rate() (bytesPerSecond float64, rtt time.Duration) { panic("contract") }

// SourceError: no candidate could serve.
type SourceError struct { Candidates []CandidateError }
type CandidateError struct { URL string; Err error } // URL without query and userinfo
func (e *SourceError) Error() string { panic("contract") }
func (e *SourceError) Unwrap() []error { panic("contract") }

// Stats is a snapshot of the client's counters.
type Stats struct { Requests, BytesReceived, Errors int64; Hosts []HostStats }
type HostStats struct { Host string; Requests, BytesReceived, Errors int64; FailingSince time.Time; RTT time.Duration; BytesPerSecond float64 }
func (c *Client) Stats() Stats { panic("contract") }
