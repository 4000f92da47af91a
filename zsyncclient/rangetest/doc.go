// Package rangetest is an HTTP server for tests of clients that fetch ranges: it
// serves files from memory or disk, breaks its answers by rule, delays and slows
// them, and logs what was asked and sent.
//
// A Server is an http.Handler as well, for tests that need TLS or a server of
// their own. The package does not import testing, so that a small program can
// use it too. It imports nothing of the project. All methods are safe for
// concurrent use.
package rangetest
