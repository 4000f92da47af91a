// Package versions publishes an artifact again and again under the same name,
// and reads it meanwhile, for the tests of what is replaced on a server.
//
// # Content
//
// Every 8 bytes of a version say which version it is and where they stand, so
// that any piece of it, wherever it was read, tells its version, and a mixture
// of two is seen. Versions come in pairs of the same length, whose control files
// have the same size: replaced within one second, they have the same validators
// on a server that makes them of the time in seconds and the size.
//
// # Readers
//
// A reader is a process of its own, for the reason that readcheck gives, which
// reads the artifact until it is told to end and says after each time what it
// got. Programs that start readers call RunChild first of all.
//
// It is a test-only package (as everything below fs/mounttest).
package versions
