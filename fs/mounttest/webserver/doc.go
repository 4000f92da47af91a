// Package webserver runs the web servers of the mount tests: Debian's nginx,
// apache2 and lighttpd, and Python's http.server, each as a child process on a
// free port of the loopback address, with its configuration and logs in a
// folder of its own.
//
// It is a test-only package (as everything below fs/mounttest): it imports
// testing, and no package that ships may import it.
//
// # Access logs
//
// A server's access log is the witness of the mount tests: it says what the
// program under test really asked for and how many bytes it was sent. A line is
// written when a request has ended, which can be after the client has seen the
// last byte; so reading the log first makes a request of its own and waits for
// that one's line, and leaves those lines out of what it returns. Requests
// that are still being answered are not in the log.
package webserver
