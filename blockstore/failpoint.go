//go:build !failpoints

package blockstore

// failpoint marks a place at which a crash would leave the folder in a state of its
// own: between two steps of the order of writing (doc.go). Here it is nothing; built
// with the tag "failpoints" the process dies there when it is told to
// (failpoint_kill.go). name is "what is being done.what has just happened", a literal,
// and stands in one place only: tests find the points in the source.
func failpoint(name string) {}
