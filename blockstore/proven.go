package blockstore

import (
	"os"
	"syscall"
)

// proof is the state of the files of a version all of whose blocks were checked. One
// that was closed and is opened again by the same Store unchanged is as good as one
// that had stayed open. (A disk that changes bytes by itself shows in neither.)
type proof struct{ data, control fileState }

// fileState tells whether a file was written to.
type fileState struct {
	id       fileID
	size     int64
	modified syscall.Timespec
	changed  syscall.Timespec
}

func (p *parts) proof() (out proof, ok bool) {
	data, ok := fileStateOf(p.data.File)
	control, ok2 := fileStateOf(p.control.f)
	return proof{data, control}, ok && ok2
}

func fileStateOf(f *os.File) (out fileState, ok bool) {
	info, err := f.Stat()
	if err != nil {
		return out, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return out, false
	}
	return fileState{fileID{uint64(st.Dev), st.Ino}, st.Size, st.Mtim, st.Ctim}, true
}

// prove remembers that all blocks were checked, if they lie in the own file. It
// needs folder, and open parts; it is called when these are about to be closed.
func (v *Version) prove() {
	v.mu.Lock()
	t := v.table
	whole := t.ownCount() == t.blocks && t.checked.next(false, 0, t.blocks) == t.blocks
	v.mu.Unlock()
	p, ok := v.parts.proof()
	s := v.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if whole && ok && !v.discarded {
		s.proofs[v.key] = p
	} else {
		delete(s.proofs, v.key)
	}
}

// recall takes the blocks of a version that is being opened for checked, if its file
// is as it was when they all were.
func (v *Version) recall() {
	s := v.store
	s.mu.Lock()
	then, known := s.proofs[v.key]
	delete(s.proofs, v.key)
	s.mu.Unlock()
	now, ok := v.parts.proof()
	v.mu.Lock()
	defer v.mu.Unlock()
	if t := v.table; known && ok && now == then && t.ownCount() == t.blocks {
		t.checked.set(0, t.blocks)
	}
}
