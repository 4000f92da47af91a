// Package archive is the directory side of a mount: what a remote archive
// holds, and the header of each control file in it. It knows neither FUSE nor
// blocks.
//
// # Terms
//
// The entry for "x.iso.zsync" is "x.iso", known from the listing alone. A
// document is a listing or a header: something remote of which the last good
// copy is kept. A flight is one fetch of a document, shared by all who wait.
//
// # Age
//
// A copy is fresh for Options.Refresh. After that the next caller starts a
// conditional fetch and waits for it at most Options.StaleWait, counted from
// the flight's start; then it goes on with the copy it has. Once a flight was
// that late, nobody waits for any until one succeeds or a while has passed. In
// an outage (no answer, or 5xx) moreover only one stale copy is asked about in
// each Options.Retry, until one succeeds, and a person is told once: with the
// server gone, a thousand stats must cost neither a thousand waits nor a
// thousand requests. With no copy at all, callers wait until their context ends.
//
// The last good copy stays when the answer is an error, a page that is no
// listing, or a broken control file, and when a listing came empty that had
// entries before: an emptied directory is believed when the next refresh says
// so again. A failure is remembered for Options.Retry, doubling up to eight
// times that, so that nobody hammers a server; the first success ends it.
//
// Who finds that an artifact is not what its control file says asks at once
// whether that was replaced (File.Replaced), however fresh the copy is.
//
// A flight runs on the archive's own context with a deadline. A caller that
// leaves does not cancel what others wait for.
//
// # Headers
//
// Listing a directory fetches no header. A single Control asks for 16 KiB, so
// that the first block records come along. Controls that follow the order of
// Entries (as "ls -l" does) ask for 2 KiB, and headers ahead of them are fetched
// side by side, in a window that grows from 64 to 512. Raw headers are kept in
// memory (at most 20,000 and 32 MiB), block records of the last 64 single
// fetches.
//
// # Persistence
//
// Listings and headers are written to Options.Meta, in a binary encoding with a
// version and a checksum, so that a restart works offline and shows what was
// there. What cannot be read there counts as absent. What the archive has no more is
// deleted there, and what has another URL is stored for that.
//
// # Imports
//
// zsyncclient, zsyncclient/listing and format. The store is an interface here.
//
// # Lock order
//
// document.loading, then document.mu, then Archive.mu. Archive.storing comes before
// document.mu. Dir.accessMu, headerCache.mu and notifier.mu are each held alone. The store
// is read under document.loading, and changed under Archive.storing; no request and no
// callback is made under any lock.
package archive
