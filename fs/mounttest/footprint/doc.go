// Package footprint takes down what a daemon holds: memory, goroutines, threads,
// descriptors, child processes, and what its store has on the disk; and says in words
// what of it has grown.
//
// It is a test-only package, but it imports no testing.
//
// # What is compared
//
// The daemon must have been started with "mount --pprof". The heap is what is alive after
// a garbage collection, in bytes and objects, so it is the same whenever nothing happened.
// Goroutines are told apart by where they began, descriptors by what they lead to, and files
// of the store by their place in it (the names of versions left out), so that what has
// grown has a name. The resident size and the threads follow the most that there ever
// was, and are only bounded.
package footprint
