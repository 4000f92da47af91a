package blockstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// parts are the open files of a version.
type parts struct {
	control *controlFile
	data    *dataFile
	known   *os.File
	sums    *os.File // the manifest, of a version that was opened verified, with shared blocks
	ids     []fileID // in ownFiles
}

// open opens the files in dir, and makes those that are not there. controlLength and
// meta are about the control file.
func (p *parts) open(dir string, controlLength int64, meta *versionMeta) error {
	var files [3]*os.File
	for i, name := range []string{controlName, dataName, knownName} {
		f, id, err := openOwn(filepath.Join(dir, name))
		if err != nil {
			p.disown()
			for _, f := range files[:i] {
				f.Close()
			}
			return err
		}
		files[i] = f
		p.ids = append(p.ids, id)
	}
	p.control, p.known = newControlFile(files[0], controlLength, meta.have, meta.sums), files[2]
	p.data = asDataFile(files[1], p.ids[1])
	return nil
}

func (p *parts) close() {
	p.disown() // before, as the number of a file that was removed is another's at once
	p.control.f.Close()
	p.data.Close()
	p.known.Close()
	if p.sums != nil {
		p.sums.Close()
	}
}

// ownFiles are the files of the versions that are open: each is one version's. When
// somebody swaps files of a store in use, a version that is opened may find one that
// another writes to.
var ownFiles = struct {
	mu  sync.Mutex // a leaf
	ids map[fileID]struct{}
}{ids: map[fileID]struct{}{}}

// openOwn opens a file of a version that is being opened. One that another version has
// is left to that, and replaced. disown must go before the closing.
func openOwn(path string) (*os.File, fileID, error) {
	const tries = 2 // the second finds a new file
	for range tries {
		if err := removeOdd(path); err != nil {
			return nil, fileID{}, fmt.Errorf("blockstore: %w", err)
		}
		f, err := OpenFile(path, os.O_RDWR|os.O_CREATE)
		if err != nil {
			return nil, fileID{}, writeError("open a version", err)
		}
		id, err := idOf(f)
		if err != nil {
			f.Close()
			return nil, fileID{}, fmt.Errorf("blockstore: %w", err)
		}
		if own(id) {
			return f, id, nil
		}
		f.Close()
		if err := os.Remove(path); err != nil {
			return nil, fileID{}, writeError("replace a file of another version", err)
		}
	}
	return nil, fileID{}, errors.New("blockstore: open a version: another has its file " + path)
}

// own takes the file of this id for a version; false when one has it.
func own(id fileID) bool {
	ownFiles.mu.Lock()
	defer ownFiles.mu.Unlock()
	if _, taken := ownFiles.ids[id]; taken {
		return false
	}
	ownFiles.ids[id] = struct{}{}
	return true
}

// disown gives the files up.
func (p *parts) disown() {
	ownFiles.mu.Lock()
	defer ownFiles.mu.Unlock()
	for _, id := range p.ids {
		delete(ownFiles.ids, id)
	}
	p.ids = nil
}

// fileID tells files of this machine apart while they are open.
type fileID struct{ device, inode uint64 }

func idOf(f *os.File) (fileID, error) {
	info, err := f.Stat()
	if err != nil {
		return fileID{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}, fmt.Errorf("%s has no number", f.Name())
	}
	return fileID{uint64(st.Dev), st.Ino}, nil
}
