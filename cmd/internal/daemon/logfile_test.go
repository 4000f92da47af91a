package daemon

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLogIsAPipe: a pipe in the log's place is refused, and not waited for, whether
// somebody reads it or nobody.
func TestLogIsAPipe(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(LogPath(dir), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLog(dir); err == nil {
		t.Error("opened, though nobody reads it")
	}
	reader, err := os.OpenFile(LogPath(dir), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := OpenLog(dir); err == nil || !strings.Contains(err.Error(), LogPath(dir)) {
		t.Errorf("with a reader: %v", err)
	}
}

// TestLogWithoutRoom: what the log has no room for is written once there is, whole.
func TestLogWithoutRoom(t *testing.T) {
	dir := t.TempDir()
	l, err := OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	say := func(text string) {
		t.Helper()
		if n, err := l.Write([]byte(text + "\n")); n != len(text)+1 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	say("before")
	good := l.file
	if l.file, err = os.OpenFile("/dev/full", os.O_WRONLY, 0); err != nil {
		t.Skip(err)
	}
	say("while")
	for range waitingLimit / 100 {
		say(strings.Repeat("x", 120))
	}
	l.file.Close()
	l.file = good
	say("after")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(LogPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) < 4 || lines[0] != "before" || lines[1] != "while" || len(text) > 2*waitingLimit {
		t.Errorf("%d lines, %d bytes: %.200q", len(lines), len(text), text)
	}
	if end := strings.Join(lines[max(len(lines)-2, 0):], "\n"); !strings.Contains(end, "after") || !strings.Contains(end, "messages were lost") {
		t.Errorf("it ends with %q", end)
	}
}
