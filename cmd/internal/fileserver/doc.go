// Package fileserver is an HTTP server for one directory: ranges, a listing,
// and a control file for every regular file in it.
//
// # What is served
//
// The files and directories under Options.Dir, with GET and HEAD. Names that
// start with a dot are hidden; symbolic links are followed as long as they stay
// inside the directory (os.Root sees to that, also against a race); devices,
// sockets and pipes are not served. A directory is listed as HTML or, when the
// client prefers it, as JSON in the form of nginx's autoindex.
//
// A control file is a name that ends in ".zsync". When there is none on disk,
// but there is a regular file of the name without ".zsync", the control file is
// made when it is first asked for, and again when the file has changed. It is
// kept in Options.ControlDir, one folder for each served name, so that a server
// that starts anew does not make it again, and never in memory.
//
// # Concurrency
//
// Requests for a control file that is being made wait for the one that makes
// it. It is made on the server's behalf and not on the first client's, so a
// client that gives up and comes back finds it done. At most Options.Jobs are
// made at a time; one that nobody waits for any more is dropped while it is
// still in the queue. Close cancels all that are being made and waits for them.
// There is one lock, controls.mu, held for no I/O.
//
// # Imports
//
// It may import cmd/internal/making and format. The access log is the only
// thing it prints.
package fileserver
