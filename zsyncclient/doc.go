// Package zsyncclient is what the zsync paper calls the client: it fetches
// control files, ranges of targets with verification, and listings over HTTP.
//
// # Terms
//
// An origin is scheme, host and port of a URL that the user typed; only origins
// get credentials and may lie in private address ranges. What is for the source alone
// (Options.User, Header, the client certificate) does not go to mirrors. A candidate is one
// place where a target may be; the candidates of a target are a Source. A gzip
// copy is a candidate that has the target compressed. A host is host:port of one
// server. A run is a range of blocks. A try is one request to one host. A visit is
// a try from the moment the host's gate let it in to the end of its body. The
// host's gate is shut after a failed try: then one try at a time is let in, at
// the end of each backoff slot, however many callers wait.
//
// # What is believed
//
// Control files, listings, redirects and every answer are untrusted. Requests
// go to http and https only, never from https to http, never with credentials
// to anything but their origin, and never to addresses of private kinds (see
// Options.AllowPrivate) unless the user typed them. A range request is answered
// by 206 with exactly the start, end and total asked for, or refused. Blocks
// reach a caller only after their strong checksums matched. Texts of errors
// carry URLs without query and user information.
//
// # Failures
//
// A failure is either temporary (a timeout, a reset, no byte for
// Options.StallTimeout or hardly any, 408, 425, 429, 5xx) or about the candidate
// (404, a wrong length, wrong bytes, a refused address ...). Temporary ones are
// tried again with backoff and jitter, which the host keeps, not the caller; a
// Retry-After is honoured for up to a minute. The backoff grows to 20 s; it begins anew when a
// request brought something of use: bytes that are only passed, or belong to a block
// that never is whole, are no progress. The others ban the candidate for a
// second, doubling up to an hour: the next reply may be as it should be, and a
// repaired server is found again without a new mount. It is a tenth of a second at
// first for a wrong length and wrong bytes, since the target and its control file
// may be just being replaced, one after the other, and for a candidate that was
// right before. Control file headers and listings are tried for a few seconds only,
// ranges until the caller's context ends.
//
// # A limited rate
//
// With Options.LimitRate, a body asks the Client's limiter before each piece that
// it reads. Those of foreground fetches, control files and listings go first, and
// a probe's first piece, for which others wait at the gate; background ones get
// what is left. Waiting for the limiter is no stall, and a body that waited for
// Options.StallTimeout in all and then breaks says nothing of the host: servers
// hang up on clients that take too little. The rate that is measured is never
// above the limit, which bounds the readahead of a mount (Source.Rate).
//
// # Validators
//
// They are what servers make of the time of change in seconds, often, so a file
// that was changed within the last seconds may have the same ones after another
// change (Validators.Young). Those make no request conditional, and records that
// are fetched under them, or under none, or come with an answer that repeats none, are
// believed only when the header is asked for after them and is still the same: a version
// that was replaced does not come back. Other validators with the same header are the
// same file; of edges of a network that have ETags of their own, Last-Modified must agree.
//
// # Several ranges in one request
//
// FetchRuns asks for up to 100 ranges at once and reads the multipart/byteranges
// answer as it streams. Each part must be one of the ranges asked for, in their
// order, or several that the server joined. What a host answers is learned and
// kept for as long as the Client knows the host. Until a second part was right,
// one such request is under way for a call. A host that refuses is asked for 20
// ranges, then for one, whose answer shows whether the number was the reason; one
// whose answer breaks the rules, or that knows the first range only, gets single
// ranges from then on; one that sends the first parts and leaves out the others
// (lighttpd sends 10) is asked for no more than came. A failure after such a proof
// is treated like one of a single range. Nothing that arrived and was right is
// asked for again.
//
// The requests are no more than zsync 0.6.2's, which asks for 20 ranges at once,
// and the bytes sent, the headers of the answers among them, no more either: a
// part's frame costs about 100 bytes, an answer's header more than twice that.
//
// # Gzip copies
//
// Where the control file has a Z-Map2, the runs of a fetch are taken of a gzip copy
// if that costs fewer bytes than of the target, or nothing else is left (packed.go).
// Each run becomes a span of the copy: from the last point of the map before it whose
// history, the 32 KiB of output before the point, is here (Local) or not needed, to
// the first point behind it. A point needs no history when a flush of the compressor
// left an empty stored block before it and the compressor forgot what was before, as
// zsyncmake -z does each 128 KiB: whether it did is tried, and when one flush did
// not, none is believed again. What is decoded before a run and between runs is delivered
// too. So the blocks themselves are the checkpoints: wherever an owner keeps 32 KiB of
// them, decoding can begin, and nothing else need be kept. A copy without such points
// is decoded from its start once, in bounded memory, when a read far inside has no
// other source. Spans of one request are decoded in order, each with the output of
// those before it; a span whose history another fetch is just decoding waits for it.
//
// A copy without a map, or on a server without ranges, serves whole bodies only,
// decompressed as they stream, when no plain candidate can be used; Fetch and
// FetchRuns give ErrNoRanges where only such are left. Never is more decompressed than
// the target's length.
//
// # Imports and concurrency
//
// It imports format and listing, and knows neither the store nor FUSE. Client
// and Source are safe for concurrent use. Locks: Client.mu before host.mu;
// fetch.mu is of one call, limiter.mu is the last; no other two are held together, and none is held
// during I/O or a callback. The goroutines of FetchRuns end with the call. All
// others are those of net/http; they end when a body is closed, and Client.Close
// ends all of them.
package zsyncclient
