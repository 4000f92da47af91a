// Package daemon builds and runs the zsyncfs program for the mount tests: as a
// process of its own, because a process that reads its own mount deadlocks.
//
// It is a test-only package (as everything below fs/mounttest): it imports
// testing, and no package that ships may import it.
//
// # How daemons are found and ended
//
// "zsyncfs mount" leaves a daemon behind that is nobody's child. Every process
// that this package starts has a variable in its environment that names its
// Mount; the daemon inherits it, and /proc/PID/environ tells it from all
// others. So only processes of the own test are ever signalled, by their PID.
//
// # What is checked by the way
//
// The program is built with the race detector, whose reports go to files; a
// report fails the test. A command that leaves its standard output open in the
// daemon fails the test too: a shell that captures the output would hang. After
// the test no daemon and no mount is left.
package daemon
