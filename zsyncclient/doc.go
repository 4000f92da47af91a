// Package zsyncclient is what the zsync paper calls the client: it fetches
// control files, ranges of targets with verification, and listings. It knows
// neither the store nor FUSE.
package zsyncclient
