// Package doctor looks whether a server, its control files and this machine are fit for
// mounts, and says for what is not how it is mended.
//
// A Finding is one thing that was looked at. What is bad keeps mounts from working, a
// note is something that costs, or may be meant. The server is asked by the same client
// as mounts use, so what works here works there; a check costs some ten small requests.
//
// It imports zsyncclient, format, blockstore and package words. Functions hold no state.
package doctor
