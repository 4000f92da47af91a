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
//	outage     servers that get out of reach, namespaces
//	ranges     tests of scattered runs of blocks, without a mount
//	faulty     a proxy that does something wrong to some replies
//	faultydisk a disk that fails when it is told to
//	footprint  what a daemon holds, and what of it has grown
//	forged     blocks that are not what their records say
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
// # What is promised under faults
//
// Tests named TestTorture try a promise of README.md many times while something breaks:
// the server's replies, files of the store, the daemon itself. With the tests of the
// project each makes a few trials; scripts/torture has them make all, and prints a table
// of promises, trials and failures. What fails is right bytes or an error: readcheck's
// Oracle compares every byte that it was given.
//
//	serverfaults_test.go  broken replies, by faulty
//	storedamage_test.go   files of the store, while stopped and in use
//	killcycles_test.go    kill -9 at random times, also of a daemon that starts
//	failpoints_test.go    kill -9 at named points within the store
//	powercuts_test.go     power cuts of the disk of the store, under a mount
//	crashlane_test.go     what tests of crashes have in common
//	torturefull_test.go   disks that are full, read-only or gone, also at the start
//	torturedisk_test.go   disks that fail
//	lookups_test.go       a million look-ups and forgets: nothing leaks
//	opens_test.go         opens, reads, closes, readers that are killed: nothing leaks
//	listings_test.go      listings that are always other ones: nothing leaks
//	soak_test.go          everything at once, for an hour (ZSYNCFS_SOAK): nothing leaks
//	longheaders_test.go   headers of 60 KB do not add up
//	leaks_test.go         what those of leaks have in common
//	poison_test.go        blocks that are forged, of others, of one's own, on the way
//	torture_test.go       what all have in common
//
// # Who must get nothing
//
// Tests named TestSecurity try what README.md says about others: of the network, of the
// machine, and whom a server leads to.
//
//	secrets_test.go      every kind of login: who is told, and where it is not seen
//	addresses_test.go    where control files and redirects may not lead
//	storefolder_test.go  the store, its socket, and what others planted there
//	allowother_test.go   --allow-other
//
// # What the assertions rest on
//
// Nothing is timed: how much was fetched, and whether anything was, is read from the
// servers' logs. Limits of time are there only so that a hang ends.
package mounttest
