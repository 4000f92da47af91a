package blockstore

import (
	"fmt"
	"os"
	"sync"
	"syscall"
)

// dataFile is a data file that is open, once however many of this process use it:
// its version, and those that refer to its bytes. So the kernel can tell whether
// anybody else has it (see mapped).
type dataFile struct {
	*os.File
	id   fileID
	uses int // guarded by dataFiles.mu
}

// fileID tells files of this machine apart while they are open.
type fileID struct{ device, inode uint64 }

// dataFiles are those that are open. It is one table for all stores, as the
// kernel's is.
var dataFiles = struct {
	mu   sync.Mutex // a leaf; the closing of a file is the only I/O under it
	open map[fileID]*dataFile
}{open: map[fileID]*dataFile{}}

// asDataFile is f as a data file: f itself, or the same file that is open already;
// f is closed then. It takes f over whatever the error.
func asDataFile(f *os.File) (*dataFile, error) {
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("blockstore: %w", err)
	}
	d := &dataFile{File: f, uses: 1}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		d.id = fileID{uint64(st.Dev), st.Ino}
	}
	dataFiles.mu.Lock()
	defer dataFiles.mu.Unlock()
	if known := dataFiles.open[d.id]; known != nil {
		known.uses++
		return known, f.Close()
	}
	dataFiles.open[d.id] = d
	return d, nil
}

// Close ends one use; the last closes the file.
func (d *dataFile) Close() error {
	dataFiles.mu.Lock()
	defer dataFiles.mu.Unlock()
	if d.uses--; d.uses > 0 {
		return nil
	}
	delete(dataFiles.open, d.id)
	return d.File.Close()
}
