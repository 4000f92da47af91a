package fs

import "sync"

// A node keeps the header of its control file for as long as the kernel knows its name,
// which is until the machine is short of memory. Most headers have some hundred bytes,
// but they may have 64 KiB, and more with a map of a gzip file: a hundred thousand of
// those are more than a machine has. So of the names with a long header, the kernel is
// told to forget those that it has known for longest. What is open is not harmed by it,
// and who asks for such a name again gets the same file.

// longHeader is from which length on a header counts, and maxLong bounds those that
// belong to names that the kernel may know, in bytes.
const longHeader, maxLong = 1 << 10, 32 << 20

// longNames are the names with a long header that the kernel was told of. The zero value
// is ready. Safe for concurrent use.
type longNames struct {
	mu    sync.Mutex
	names []longName // the oldest first; guarded by mu
	sum   int64      // of their headers, in bytes; guarded by mu
}

type longName struct {
	entryName
	length int64
}

// known takes in that the kernel is told of a name with a header of this length, and has
// it forget others when there are too many. Never blocks.
func (f *FS) known(dir, name string, length int64) {
	if length < longHeader {
		return
	}
	l := &f.long
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names = append(l.names, longName{entryName{dir, name}, length})
	l.sum += length
	for l.sum > maxLong {
		oldest := l.names[0]
		if !f.forgetNames([]entryName{oldest.entryName}) {
			return // too much waits to be told: the next one tries again
		}
		l.names = l.names[1:]
		l.sum -= oldest.length
	}
}
