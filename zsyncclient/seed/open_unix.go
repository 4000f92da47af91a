//go:build unix

package seed

import "syscall"

// nonBlocking lets an open of a FIFO return at once.
const nonBlocking = syscall.O_NONBLOCK
