// Package zsyncclient is what the zsync paper calls the client: it fetches
// control files, ranges of targets with verification, and listings over HTTP.
//
// # Terms
//
// An origin is scheme, host and port of a URL that the user typed; only origins
// get credentials and may lie in private address ranges. A candidate is one
// place where a target may be; the candidates of a target are a Source. A host
// is host:port of one server. A try is one request to one host. A visit is a
// try from the moment the host's gate let it in to the end of its body. The
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
// Options.StallTimeout, 408, 425, 429, 5xx) or about the candidate (404, a wrong
// length, wrong bytes, a refused address ...). Temporary ones are tried again
// with backoff and jitter, which the host keeps, not the caller. The others ban
// the candidate for a minute, doubling up to an hour, so that a repaired server
// is found again without a new mount. Control file headers and listings are
// tried for a few seconds only, ranges until the caller's context ends.
//
// # Imports and concurrency
//
// It imports format and listing, and knows neither the store nor FUSE. Client
// and Source are safe for concurrent use. Locks: Client.mu before host.mu;
// no other two are held together, and none is held during I/O or a callback. The only goroutines are those of net/http; they end
// when a body is closed, and Client.Close ends all of them.
//
// # Plan
//
// Several ranges in one request, for scattered runs on hosts that proved they
// answer multipart/byteranges well, find their place beside the single range in
// ranges.go and a flag in host; seed matching gets a folder of its own, as
// listing has. The compressed copies (Header.ZURLs) become candidates of a
// second kind in candidate.go.
package zsyncclient
