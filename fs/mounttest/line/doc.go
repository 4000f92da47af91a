// Package line is a network line for tests: a TCP proxy on the loopback
// address with a rate that all its connections share, a delay, counters, and
// a switch that stops all bytes while connections stay open.
//
// It is a test-only package as to its use, but it does not import testing, so
// that a measuring script can use it too.
package line
