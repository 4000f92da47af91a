// Package metrics shows the state of a daemon to Prometheus. Whoever scrapes it gets a
// snapshot: nothing is counted here. Names begin with zsyncfs_, and are stable: new ones
// are added, none is changed.
//
// It imports package daemon for its snapshots. Safe for concurrent use.
package metrics
