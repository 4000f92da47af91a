// Package outage has the ways in which a server gets out of reach: a network that
// drops packets, a listener that takes no more connections, a byte now and then, names
// that nobody resolves.
//
// A Namespace is a network of its own, without a way out; programs run in it by its
// Wrap. A Door is a TCP proxy, in a namespace or not, with the faults of a server that
// lives but does not serve, a Half an HTTP proxy that answers a part of what it is asked.
// Names is a DNS server. What a namespace holds is gone with
// the process that holds it open, also when the test is killed.
//
// It is a test-only package.
package outage
