// Package fs shows an archive directory as a read-only FUSE file system.
//
// # Terms
//
// A directory of the archive is a dirNode, an artifact a fileNode, an open file
// a handle. A node stands for one version: an artifact that is replaced on the
// server is another fileNode with another inode number, so everything that is
// open stays with the version that it opened, and the kernel may keep its pages
// (FOPEN_KEEP_CACHE). Where a directory or a version comes from its node takes from the
// last look-up of its name: it may have left the listing and come back, or have another
// URL (origin.go). Only a version that has another place, which is more than another
// query, is another node, with the same number and the next generation: the store has
// another version for it.
//
// # Inode numbers
//
// An inode number is the first 63 bits of SHA-256 over the path and the bytes of
// the control file's header, so it is the same after every mount of the same archive, and
// another for another version. Names in a directory that nobody looked at yet
// have no version; readdir shows the hash of the path alone for those.
//
// # Caching by the kernel
//
// Attributes of a node never change: the kernel keeps them for an hour. Names are kept
// for a second, and not after what the archive knows of them is Options.Refresh old: a
// replaced artifact is seen within that time, or a second after the archive has found
// the change. READDIRPLUS is off, because it would fetch a header for each name of
// a plain "ls"; "ls -l" sends its own look-ups and archive fetches ahead of
// them. What of an artifact's blocks proved wrong is dropped at once from the pages of all
// its nodes. The kernel is told to forget names that are gone, many at a time (gone.go),
// and of names whose control files have long headers those that it has known for longest
// (long.go).
//
// # Passthrough
//
// A version that is complete, verified, checked and on the disk is read by the kernel
// itself, from the file in the block store, when it is opened (passthrough.go). The
// kernel has one inode read either so or by way of its page cache. So an inode of which
// some handle was read here stays with that, and a version that has become complete
// since gets another, with the same number and the next generation, for those to come.
// It takes CAP_SYS_ADMIN; what the kernel refuses is read as everything else.
//
// # Doubt
//
// A publisher replaces an artifact and its control file one after the other. A read
// that meets the time between finds bytes that its control file does not describe.
// It asks for the control file and tries again, until the version's bytes come, or
// the control file is another one (ESTALE), or the read deadline is over. doubt.go
// has the rules.
//
// # Errors
//
// errno.go has the one table from errors to errno. What it maps is logged once
// here, with path and offset; nothing below logs.
//
// # Late requests
//
// No request waits longer than Options.ReadDeadline. Programs that want the same page
// or the same name ask one after the other, each when the one before has failed: what
// repeats a request that was late a moment ago fails at once (late.go), so that none of
// them waits longer than the first. So does what repeats a read that failed sooner, but
// that a few times: a page fault may begin anew for ever. A system call that takes several
// requests, one after the other, waits for each as long as what it asked for before came
// in time.
//
// # Interrupts
//
// FUSE tells of a signal to a waiting reader, but not of which. A reader that is
// dying must be let go at once; one that got a harmless signal (a Go program's
// preemption signal, SIGWINCH, a timer) must not see EINTR from a plain file.
// interrupt.go tells them apart by what is pending for the thread.
//
// # Imports and locks
//
// It imports fs/archive, fs/target and what is below them. The kernel is
// notified by one worker only, never from a handler and never under a lock:
// a notification waits for locks that the kernel holds while it waits for a
// handler. As far as that can be helped it does not wait there at all: quiet.go.
// Notices begin when the root inode has its server and before that
// answers anything, and end with the mount; the archive and targets may report changes at
// any time. FS.mu is a leaf; longNames.mu, goneNames.mu and pendingReads.mu come before it.
package fs
