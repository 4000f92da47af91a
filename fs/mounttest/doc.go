// Package mounttest holds the mount tests: they run the real program as a
// separate process, against real web servers, on real images, and read through
// the kernel.
//
// # Test-only
//
// This package and everything below it is for tests: the folders may hold
// ordinary Go files that import testing, and outside fs/mounttest only test files
// may import them (but line, hostile and oldzsync, which do not import testing, and
// which measuring scripts may use). A check of import rules knows them by the path.
//
//	webserver  nginx, apache2, lighttpd, Python's http.server and their logs
//	line       a TCP proxy with a rate, a delay and a switch
//	fixture    images, tar files, control files
//	oldzsync   finds the zsync and zsyncmake 0.6 of this machine, past our own
//	hostile    the server of the hostile control files in testdata/hostile
//	daemon     the program: built with -race, started, killed, cleaned up
//	readcheck  a file in the mount against the original
//	ranges     tests of scattered runs of blocks, without a mount
//
// # Running
//
//	go test -timeout 15m ./fs/mounttest/...
//
// Tests skip, with the reason, what this machine cannot do. Everything runs
// with root, /dev/fuse, loop devices, and Debian's packages nginx, apache2,
// lighttpd, python3, fuse3, zsync, e2fsprogs, xorriso, qemu-utils, iproute2,
// util-linux. With -short no mount is made. ZSYNCFS_BINARY names a ready
// program to test instead of building one.
//
// # What the assertions rest on
//
// Nothing is timed: how much was fetched, and whether anything was, is read from the
// servers' logs. Limits of time are there only so that a hang ends.
package mounttest
