package fileserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
	"github.com/zsyncfs/zsyncfs/format"
)

const (
	// attempts is how often a control file is made for one request when its
	// target keeps changing.
	attempts = 3
	// unusedFor is how long a control file that nobody asked for is kept.
	unusedFor = 30 * 24 * time.Hour
	// touchAfter is how old the mark of last use may get before it is renewed.
	touchAfter = 24 * time.Hour
)

// serveControl answers with the control file name, which is not on disk under
// the root, of the file that targetName says.
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request, name string) {
	f, p, err := s.openControl(r.Context(), targetName(name))
	switch {
	case err == nil:
	case errors.Is(err, making.ErrChanged):
		w.Header().Set("Retry-After", "2")
		fail(w, http.StatusServiceUnavailable)
		return
	case errors.Is(err, context.Canceled), errors.Is(err, errClosed):
		fail(w, http.StatusServiceUnavailable)
		return
	default:
		s.failWith(w, err)
		return
	}
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", controlType)
	h.Set("ETag", `"`+p.Key()+blockSizeTag(s.o.BlockSize)+`-z"`)
	// The target's own time: the control file's would differ between two
	// servers, or after the folder of control files was emptied.
	http.ServeContent(w, r, "", time.Unix(0, p.MTime), f)
}

// openControl opens the control file of the served file target as it is now,
// and makes it first when needed. The caller closes it.
func (s *Server) openControl(ctx context.Context, target string) (*os.File, making.Fingerprint, error) {
	for range attempts {
		f, info, err := open(s.root, target)
		if err != nil {
			return nil, making.Fingerprint{}, err
		}
		f.Close()
		p, err := making.FingerprintOf(info)
		if err != nil {
			return nil, p, err
		}
		if kept := s.controls.open(target, p); kept != nil {
			return kept, p, nil
		}
		err = s.controls.make(ctx, s.root, target, p)
		if err != nil && !errors.Is(err, making.ErrChanged) {
			return nil, p, err
		}
	}
	return nil, making.Fingerprint{}, fmt.Errorf("%s: %w", target, making.ErrChanged)
}

// open opens the kept control file of this state of the served file name; nil
// when there is none that can be used.
func (c *controls) open(name string, p making.Fingerprint) *os.File {
	file := filepath.Join(c.folder(name), c.file(p))
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	info, err := f.Stat()
	if err != nil || !whole(f, info, p) {
		f.Close()
		return nil
	}
	if time.Since(info.ModTime()) > touchAfter {
		now := time.Now()
		_ = os.Chtimes(file, now, now) // only makes it live longer
	}
	return f
}

// whole: a file of ours that was damaged is made anew.
func whole(f *os.File, info fs.FileInfo, p making.Fingerprint) bool {
	h, err := format.ReadHeader(bufio.NewReader(io.NewSectionReader(f, 0, info.Size())))
	return err == nil && h.Length == p.Length && h.ControlLength() == info.Size()
}

// write makes the control file of the served file name as file, and removes
// those of its earlier states. Errors: making.ErrChanged also when the name
// leads to another state than p by now.
func (c *controls) write(file string, root *os.Root, name string, p making.Fingerprint) error {
	f, info, err := open(root, name)
	if err != nil {
		return err
	}
	defer f.Close()
	now, err := making.FingerprintOf(info)
	if err != nil {
		return err
	}
	if now != p {
		return making.ErrChanged
	}
	folder := filepath.Dir(file)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	o := c.o
	o.Filename = path.Base(name)
	err = making.Save(file, 0o600, func(w io.Writer) error {
		_, err := making.Write(c.ctx, f, o, w)
		return err
	})
	if err != nil {
		return fmt.Errorf("make the control file of %s: %w", name, err)
	}
	removeOthers(folder, filepath.Base(file))
	return nil
}

// removeOthers removes the control files of a served file's earlier states. A
// client that still reads one keeps it open.
func removeOthers(folder, keep string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	tag := strings.TrimLeft(keep, "0123456789abcdef")
	for _, e := range entries {
		if e.Name() != keep && strings.TrimLeft(e.Name(), "0123456789abcdef") == tag {
			os.Remove(filepath.Join(folder, e.Name()))
		}
	}
}

// blockSizeTag keeps control files of different block sizes apart.
func blockSizeTag(blockSize int64) string {
	if blockSize == 0 {
		return ""
	}
	return "-" + strconv.FormatInt(blockSize, 10)
}

// prune removes control files that were not used for long, and what a crash
// left half written. It goes on with what it can reach: this is housekeeping.
func (c *controls) prune() {
	folders, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	for _, folder := range folders {
		if c.ctx.Err() != nil {
			return
		}
		if len(folder.Name()) == 32 && folder.IsDir() {
			pruneFolder(filepath.Join(c.dir, folder.Name()), folder)
		}
	}
}

func pruneFolder(folder string, entry fs.DirEntry) {
	if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > unusedFor {
		os.Remove(folder) // fails, as it should, unless it is empty
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue
		}
		ours := strings.HasSuffix(e.Name(), controlSuffix) || strings.HasSuffix(e.Name(), ".tmp")
		if ours && time.Since(info.ModTime()) > unusedFor {
			os.Remove(filepath.Join(folder, e.Name()))
		}
	}
}
