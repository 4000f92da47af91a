package fileserver

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

const (
	// headerTimeout is how long a client may take to send its request.
	headerTimeout = 15 * time.Second
	// idleTimeout is how long an unused connection is kept.
	idleTimeout = 2 * time.Minute
	// maxRequestHeader bounds the bytes of a request's header.
	maxRequestHeader = 64 << 10
)

// Options for New. Dir and ControlDir are needed; the rest works when zero.
type Options struct {
	// Dir is the directory to serve.
	Dir string
	// ControlDir is where control files made on demand are kept; it is made
	// with mode 0700 when absent, and may be shared between servers.
	ControlDir string
	// BlockSize of control files made on demand, in bytes; 0 means the default
	// for each file's length.
	BlockSize int64
	// Jobs is how many control files are made at a time. Default: the number
	// of CPUs, at most 4.
	Jobs int
	// User and Password, when User is not empty, are asked of every client
	// (basic authentication).
	User, Password string
	// AccessLog takes a line in the combined log format for each request, in
	// one Write each. Default: nobody.
	AccessLog io.Writer
	// Warn is told of failures that a client only sees as a status. Default: nobody.
	Warn func(err error)
}

// Server serves one directory. Safe for concurrent use.
type Server struct {
	o        Options
	root     *os.Root
	controls *controls
	http     *http.Server
}

// New opens the directories of o. The caller calls Close.
func New(o Options) (*Server, error) {
	if o.Jobs <= 0 {
		o.Jobs = min(runtime.NumCPU(), 4)
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	abs, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, err
	}
	c, err := newControls(abs, o)
	if err != nil {
		root.Close()
		return nil, err
	}
	s := &Server{o: o, root: root, controls: c}
	s.http = &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxRequestHeader,
		ErrorLog:          errorLog(o.Warn),
	}
	return s, nil
}

// Serve answers requests on l until Shutdown or Close, then returns nil.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown takes no new requests and waits for those under way until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }

// Close ends all connections and everything that is being made, and waits.
func (s *Server) Close() error {
	err := s.http.Close()
	s.controls.close()
	return errors.Join(err, s.root.Close())
}

// Handler is what Serve answers with.
func (s *Server) Handler() http.Handler {
	return s.logged(s.authenticated(http.HandlerFunc(s.serve)))
}

// serve answers one request of a client that may see the directory.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "zsyncfs")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.ContentLength != 0 {
		// No request of ours has a body; do not wait for a slow one.
		w.Header().Set("Connection", "close")
		fail(w, http.StatusBadRequest)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		fail(w, http.StatusMethodNotAllowed)
		return
	}
	name, wantsDir, ok := cleanPath(r.URL.Path)
	if !ok {
		fail(w, http.StatusNotFound)
		return
	}
	s.serveName(w, r, name, wantsDir)
}

// serveName answers for name, a path under the root; wantsDir when the URL
// ends in a slash.
func (s *Server) serveName(w http.ResponseWriter, r *http.Request, name string, wantsDir bool) {
	info, err := s.root.Stat(name)
	switch {
	case err == nil && info.IsDir() && !wantsDir:
		redirectToDirectory(w, r)
	case err == nil && info.IsDir():
		s.serveListing(w, r, name)
	case wantsDir:
		fail(w, http.StatusNotFound)
	case err == nil && info.Mode().IsRegular():
		s.serveFile(w, r, name)
	case errors.Is(err, os.ErrNotExist) && targetName(name) != "":
		s.serveControl(w, r, name)
	case err == nil:
		fail(w, http.StatusNotFound) // a device, socket or pipe
	default:
		s.failWith(w, err)
	}
}

// failWith answers for an error of the file system.
func (s *Server) failWith(w http.ResponseWriter, err error) {
	switch {
	case namesNothing(err):
		fail(w, http.StatusNotFound)
	case errors.Is(err, os.ErrPermission):
		fail(w, http.StatusForbidden)
	default:
		s.o.Warn(err)
		fail(w, http.StatusInternalServerError)
	}
}

// fail answers with a status and its name as the text.
func fail(w http.ResponseWriter, status int) {
	h := w.Header()
	h.Del("ETag")
	h.Del("Last-Modified")
	http.Error(w, http.StatusText(status), status)
}
