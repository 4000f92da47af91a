// Package service is how a daemon talks to systemd, where that has started it: that it
// is ready, ends or reloads, that it lives (the watchdog), and messages for the journal
// with their priorities. Elsewhere all of it does nothing.
//
// Source: sd_notify(3), sd-daemon(3), systemd.exec(5) of JOURNAL_STREAM. It imports
// nothing of the project. Safe for concurrent use, but for Watchdog.
package service
