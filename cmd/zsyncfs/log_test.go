package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestFollowLog: what the daemon wrote last before it went on in another file is shown, and
// what comes in a file that was cut short.
func TestFollowLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daemon.log")
	log, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { log.Close() }()
	write := func(line string) {
		if _, err := log.WriteString(line + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	write("a first line that is rather long")
	r, w := io.Pipe()
	defer r.Close()
	go func() { w.CloseWithError(showLog(t.Context(), w, path, 10, true)) }()
	lines := bufio.NewScanner(r)
	want := func(line string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != line {
			t.Fatalf("%q, %v; want %q", lines.Text(), lines.Err(), line)
		}
	}
	want("a first line that is rather long")
	for range 3 {
		time.Sleep(logPause / 2) // it waits now
		write("the last")
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		log.Close()
		if log, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			t.Fatal(err)
		}
		write("the first of another file, which is long")
		want("the last")
		want("the first of another file, which is long")
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * logPause)
	write("short")
	want("short")
}
