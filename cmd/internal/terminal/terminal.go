// Package terminal tells whether a person sits at the other end of a file. It
// imports nothing of the project.
package terminal

import "os"

// Is says whether f is a terminal. Other character devices, such as /dev/null,
// are none.
func Is(f *os.File) bool { return f != nil && isTerminal(f.Fd()) }
