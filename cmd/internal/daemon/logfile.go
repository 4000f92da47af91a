package daemon

import (
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"golang.org/x/sys/unix"
)

// LogLimit is how large the log of a daemon in the background grows before it
// is moved to daemon.log.1, in bytes.
const LogLimit = 8 << 20

// waitingLimit is how many bytes of messages wait in memory for a log that cannot be
// written, on a full disk say.
const waitingLimit = 64 << 10

// LogFile is the log of a daemon in the background. Safe for concurrent use.
type LogFile struct {
	path string

	mu   sync.Mutex
	file *os.File // guarded by mu
	dup  bool     // guarded by mu: it is standard error as well
	size int64    // guarded by mu
	// waiting is what could not be written yet, guarded by mu, and lost is how many
	// messages are not even in there.
	waiting []byte
	lost    int
}

// OpenLog opens STORE/daemon.log for appending; the folder is made if needed. Errors:
// those of blockstore.MakeFolder.
func OpenLog(store string) (*LogFile, error) {
	var told []error // it can only be written down when there is a log
	err := blockstore.MakeFolder(store, blockstore.Options{Beside: beside, Warn: func(err error) { told = append(told, err) }})
	if err != nil {
		return nil, err
	}
	l := &LogFile{path: LogPath(store)}
	if err := l.open(); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(l, nil))
	for _, err := range told {
		log.Warn(err.Error())
	}
	return l, nil
}

func (l *LogFile) open() error {
	f, err := blockstore.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	l.file, l.size = f, info.Size()
	if l.dup {
		return unix.Dup3(int(f.Fd()), 2, 0)
	}
	return nil
}

// Write appends one message. A log that cannot be written, on a full disk say, must
// not stop the daemon: the message then waits for the next one.
func (l *LogFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size+int64(len(p)) > LogLimit {
		l.file.Close()
		os.Rename(l.path, l.path+".1")
		_ = l.open() // a file that is closed takes nothing: the message waits
	}
	l.flush()
	if len(l.waiting) > 0 && len(l.waiting)+len(p) > waitingLimit {
		l.lost++
		return len(p), nil
	}
	l.waiting = append(l.waiting, p...)
	l.flush()
	return len(p), nil
}

// flush writes what waits, as far as there is room. l.mu is held.
func (l *LogFile) flush() {
	if l.lost > 0 && len(l.waiting) == 0 {
		l.waiting = fmt.Appendf(l.waiting, "level=WARN msg=\"%d messages were lost while the log could not be written\"\n", l.lost)
		l.lost = 0
	}
	if len(l.waiting) == 0 {
		return
	}
	n, _ := l.file.Write(l.waiting)
	l.size += int64(max(n, 0))
	l.waiting = l.waiting[max(n, 0):]
}

// TakeStderr makes the file the process's standard error, so that the Go
// runtime's last words are kept.
func (l *LogFile) TakeStderr() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dup = true
	return unix.Dup3(int(l.file.Fd()), 2, 0)
}

// Close writes what waits, and closes the file.
func (l *LogFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
	return l.file.Close()
}
