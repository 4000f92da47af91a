// Package daemon is the process behind mounts: it owns a store, serves the
// mounts that were asked for, and answers on a socket beside the store.
//
// # Life
//
// One daemon runs per store. The first "zsyncfs mount" starts it, later ones
// reach it through the socket; it ends when its last mount is gone, whoever
// unmounted it, and no get is under way, or on SIGTERM and SIGINT. Its end
// unmounts (detaching mounts that have open files, and leaving alone what others
// mounted in their place), ends all fetches, checkpoints the store and unlocks it.
//
// # The socket
//
// STORE/socket, mode 0600, speaks HTTP with JSON bodies; the peer's uid must be
// the daemon's or root's. It is reached by way of /proc/self/fd, because the
// path of a Unix socket has at most 108 bytes.
//
//	GET    /v1/status  -> Status
//	POST   /v1/mounts  Spec -> 200, or Failure
//	POST   /v1/cache   CacheRequest -> CacheAnswer, or Failure
//	POST   /v1/get     GetSpec -> lines of JSON: steps, progress, warnings, and at
//	                   last where the target's bytes are, or a Failure
//	GET    /debug/pprof/... -> profiles as net/http/pprof has them, once a mount has
//	                   asked for them ("zsyncfs mount --pprof"):
//
//	curl --unix-socket STORE/socket -o cpu.pprof 'http://daemon/debug/pprof/profile?seconds=5'
//	go tool pprof -top cpu.pprof
//
// A Failure carries message, hint and exit code, so that a mount that a running
// daemon refuses reads like one that was refused at once.
//
// A get ends when its client hangs up, or reads nothing for some seconds because
// it is stopped; it can ask again, and nothing is lost. What it brought is made a
// file by the client, which may be another user with other rights, from the
// store's own file: the daemon holds the version open until the client has hung
// up, or the daemon ends, which leaves the file that the client has open as it
// is. A get keeps the daemon from ending with its last mount until it has its
// answer. Without a daemon, the command calls Get
// with a store that it opened itself.
//
// # Imports and locks
//
// It may import everything below cmd. Daemon.mu guards the list of mounts and
// is never held while mounting or unmounting.
package daemon
