// Package page is the status page of a daemon for a browser: what is mounted, which
// blocks of what is open are here and where they came from, how much flows, and what the
// block store has; with actions (pin, unpin, verify, evict) for who has the token.
//
// # How it is made
//
// The server renders all of it (html/template); the script only asks for the same page
// again and puts what has changed in its place, so that it works without a script too.
// Nothing is asked of other hosts. Style and script are embedded in the program.
//
// # Who may see and do what
//
// Whoever can connect to the address sees the page: it is for loopback. A page of another
// site in the same browser cannot read it, and cannot have it do anything: the Host must
// be one that leads here (names are refused, against DNS rebinding), and requests that
// change something must carry the token as a bearer token, which the script keeps for its
// tab and its origin: a cookie would go to other ports of the host as well. The content
// policy permits what is embedded, and nothing else.
//
// It imports package daemon for its snapshots, and no other state of it. Safe for
// concurrent use.
package page
