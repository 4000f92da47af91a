package fileserver

import (
	"mime"
	"net/http"
	"path"

	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
)

const (
	controlType = "application/x-zsync"
	plainType   = "application/octet-stream"
)

// serveFile answers with a file on disk, with ranges and conditions.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, name string) {
	f, info, err := open(s.root, name)
	if err != nil {
		s.failWith(w, err)
		return
	}
	defer f.Close()
	p, err := making.FingerprintOf(info)
	if err != nil {
		s.failWith(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType(name))
	h.Set("ETag", `"`+p.Key()+`"`)
	http.ServeContent(w, r, "", info.ModTime(), f)
}

// contentType goes by the name alone: looking at the content would make
// something else of the same bytes at another offset.
func contentType(name string) string {
	ext := path.Ext(name)
	if ext == controlSuffix {
		return controlType
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return plainType
}
