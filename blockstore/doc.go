// Package blockstore keeps verified blocks of targets on the local disk. It
// knows neither URLs nor FUSE.
package blockstore
