// Package faulty is a proxy for tests that hands on the replies of a real web server,
// but does something wrong to some of them: what broken middle boxes, full disks,
// captive portals and updates in the midst of a transfer do.
//
// It is a test-only package.
//
// # Faults
//
// Each is one kind of damage to a reply (see Kinds); which replies are hit is drawn by
// Rate, from a seed. What a fault does is the same for targets, control files and
// listings, as far as it applies; a reply that it does not apply to is left alone and
// not counted.
package faulty
