package blockstore

import (
	"io"

	"golang.org/x/sys/unix"
)

// pageReader reads pages of a file "known", some of neighbours at once.
type pageReader struct {
	f   io.ReaderAt
	buf []byte
	at  int64 // where the first n bytes of buf lie in the file
	n   int
}

// readPages is how many pages a pageReader reads at once.
const readPages = 16

// newPageReader reads a file of at most count pages.
func newPageReader(f io.ReaderAt, count int64) *pageReader {
	return &pageReader{f: f, buf: make([]byte, min(count, readPages)*pageSize)}
}

func (r *pageReader) has(i int64) bool {
	return i*pageSize >= r.at && (i+1)*pageSize <= r.at+int64(r.n)
}

// page is page i, good until the next call. It is shorter only with an error.
func (r *pageReader) page(i int64) ([]byte, error) {
	off := i * pageSize
	if !r.has(i) {
		n, err := r.f.ReadAt(r.buf, off)
		if r.at, r.n = off, n; n < pageSize {
			return r.buf[:n], err
		}
	}
	return r.buf[off-r.at:][:pageSize], nil
}

// skipHole is the first page from i on that may be more than zeros: the map of a
// large target of which little is here is one hole.
func (r *pageReader) skipHole(i int64) int64 {
	f, ok := r.f.(io.Seeker)
	if !ok || r.has(i) {
		return i
	}
	at, err := f.Seek(i*pageSize, unix.SEEK_DATA)
	if err != nil {
		return i // behind it there is only a hole, or nobody can tell: reading does
	}
	return max(i, at/pageSize)
}
