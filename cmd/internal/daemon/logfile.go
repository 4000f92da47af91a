package daemon

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// LogLimit is how large the log of a daemon in the background grows before it
// is moved to daemon.log.1, in bytes.
const LogLimit = 8 << 20

// LogFile is the log of a daemon in the background. Safe for concurrent use.
type LogFile struct {
	path string

	mu   sync.Mutex
	file *os.File // guarded by mu
	dup  bool     // guarded by mu: it is standard error as well
	size int64    // guarded by mu
}

// OpenLog opens STORE/daemon.log for appending; the folder is made if needed.
func OpenLog(store string) (*LogFile, error) {
	if err := os.MkdirAll(store, 0o700); err != nil {
		return nil, err
	}
	l := &LogFile{path: LogPath(store)}
	return l, l.open()
}

func (l *LogFile) open() error {
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	l.file, l.size = f, 0
	if info, err := f.Stat(); err == nil {
		l.size = info.Size()
	}
	if l.dup {
		return unix.Dup3(int(f.Fd()), 2, 0)
	}
	return nil
}

// Write appends one message. A log that cannot be written, on a full disk say,
// must not stop the daemon: the message is then lost.
func (l *LogFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size+int64(len(p)) > LogLimit {
		l.file.Close()
		os.Rename(l.path, l.path+".1")
		if err := l.open(); err != nil {
			return len(p), nil
		}
	}
	n, _ := l.file.Write(p)
	l.size += int64(n)
	return len(p), nil
}

// TakeStderr makes the file the process's standard error, so that the Go
// runtime's last words are kept.
func (l *LogFile) TakeStderr() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dup = true
	return unix.Dup3(int(l.file.Fd()), 2, 0)
}

// Close closes the file.
func (l *LogFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
