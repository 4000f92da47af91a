// Package progress shows how far a download is: bars with rate and time left on
// a terminal, one plain line for each step elsewhere, or one JSON object a line
// for programs.
//
// The JSON objects have stable names: "step" (checking, resuming, scanning,
// fetching, verifying, compressing), "name" (of the seed, or the URL), "done" and "total" of
// the step, "known" and "length" of the target, all in bytes, "bytes_per_second"
// and "eta_seconds" of the step (absent while unknown). One is written when a
// step begins, and about two a second after that.
//
// A Printer is safe for concurrent use; its one goroutine ends with Stop. It
// imports zsyncclient/download for what a step is.
package progress
