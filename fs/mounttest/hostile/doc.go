// Package hostile serves a corpus of hostile, malformed and odd control files,
// which lies in fs/mounttest/testdata/hostile, and knows what each case expects.
//
// It is a test-only package as to its use, but it does not import testing.
//
// The control files name the addresses and the port that they expect, among
// them addresses that no client may be led to. So the server and everything
// that reads from it must run in a network namespace of their own, where those
// addresses are on the loopback device: Listen takes them, and records who was
// contacted that must not be.
//
// # The corpus
//
// CASE/t.dat.zsync is the control file of a case. manifest.tsv has a line for
// each: case, expectation, name of the target in targets/, reason. An
// expectation is A (accept: the bytes read are the target's), R (refuse with a
// clear error), or P (either); in every case there is no crash, no hang, no
// wrong byte, nothing written where it does not belong, no more than 256 MiB of
// memory. One case is made here and not stored: a header line of 100 MB.
package hostile
