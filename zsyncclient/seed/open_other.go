//go:build !unix

package seed

// nonBlocking is nothing where opening waits for nobody.
const nonBlocking = 0
