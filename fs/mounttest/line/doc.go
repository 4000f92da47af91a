// Package line is a network line for tests and measurements: a TCP proxy on the
// loopback address with a round trip, a rate that all its connections share, a
// counter, and a switch that stops all bytes while connections stay open.
//
// # Model
//
// The way to the clients is one queue. Each piece of bytes that comes from the
// server is booked behind all pieces before it, of whatever connection, and has
// passed when the line has had the time for it at its rate. What has passed
// arrives half a round trip later. The way to the server has the delay alone.
//
// As much as the line passes in queueTime may wait in the queue, as in a real
// router. A goroutine that wakes up late by less than that finds the line still
// busy, and no time is lost; when all has passed the line is idle, and idle time
// is never made good. Pieces that are due already are handed on at once, so over
// any stretch the line carries its rate, however coarse the timers are.
//
// Opening a connection costs a round trip before its first byte leaves. What is
// not imitated: TCP's slow start, loss, and a rate towards the server.
//
// It is a test-only package as to its use, but it does not import testing, so
// that a measuring script can use it too. It imports nothing of the project.
package line
