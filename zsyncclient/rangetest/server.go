package rangetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Server serves files with ranges, ETags and dates, and faults by rule.
type Server struct {
	mu      sync.Mutex
	cond    *sync.Cond
	files   map[string]*file // guarded by mu
	rules   []*activeRule    // guarded by mu
	log     []*Request       // guarded by mu
	delay   time.Duration    // guarded by mu
	rate    float64          // bytes/s, 0 none; guarded by mu
	free    time.Time        // when the line is free again; guarded by mu
	running int              // handlers; guarded by mu
	addr    string           // guarded by mu
	srv     *http.Server     // guarded by mu
	served  chan struct{}    // closed when srv.Serve has returned; guarded by mu
	stopped chan struct{}    // closed by Stop, to end stalls; guarded by mu
}

// file is one file; a version that is replaced is never changed.
type file struct {
	data     []byte
	disk     string // not empty: the data are in this file
	etag     string
	modified time.Time
}

// Request is an entry of the log.
type Request struct {
	Method, Path, Query string
	// Range is the header, "" when it was absent.
	Range  string
	Header http.Header
	// Status and Bytes (of the body) are what was sent so far.
	Status int
	Bytes  int64
}

// New is a server that does not listen; it serves as an http.Handler, or after Start.
func New() *Server {
	s := &Server{files: map[string]*file{}, stopped: make(chan struct{})}
	s.cond = sync.NewCond(&s.mu)
	return s
}

// Start listens on a free port of 127.0.0.1, after Stop on the same port again.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	addr := s.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	s.addr = l.Addr().String()
	s.stopped, s.served = make(chan struct{}), make(chan struct{})
	srv, served := &http.Server{Handler: s, ErrorLog: nil}, s.served
	s.srv = srv
	go func() {
		defer close(served)
		_ = srv.Serve(l)
	}()
	return nil
}

// Stop closes the listener and all connections, and waits for the handlers. The
// files, rules and log stay.
func (s *Server) Stop() {
	s.mu.Lock()
	srv, served := s.srv, s.served
	s.srv = nil
	if srv != nil {
		close(s.stopped)
	}
	s.mu.Unlock()
	if srv == nil {
		return
	}
	_ = srv.Close()
	<-served
	s.Wait()
}

// Wait returns when no request is being handled.
func (s *Server) Wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.running > 0 {
		s.cond.Wait()
	}
}

// URL is the address of path, which starts with "/".
func (s *Server) URL(path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "http://" + s.addr + path
}

// Addr is host:port.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Put serves data at path (decoded, with the leading "/"), with an ETag of its content.
func (s *Server) Put(path string, data []byte) {
	s.put(path, &file{data: data, etag: fmt.Sprintf(`"%x"`, sha256.Sum256(data))[:18] + `"`, modified: epoch})
}

// epoch is the date of files in memory.
var epoch = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// PutFile serves the file name of the disk at path, with an ETag of its size and time.
func (s *Server) PutFile(path, name string) error {
	fi, err := os.Stat(name)
	if err != nil {
		return err
	}
	etag := fmt.Sprintf(`"%x-%x"`, fi.Size(), fi.ModTime().UnixNano())
	s.put(path, &file{disk: name, etag: etag, modified: fi.ModTime()})
	return nil
}

func (s *Server) put(path string, f *file) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[path] = f
}

// SetValidators changes what path answers as ETag ("" for none) and as
// Last-Modified (none when zero).
func (s *Server) SetValidators(path, etag string, modified time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.files[path]; f != nil {
		g := *f
		g.etag, g.modified = etag, modified
		s.files[path] = &g
	}
}

// Remove makes path a 404.
func (s *Server) Remove(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, path)
}

// SetDelay delays every answer's header, as a line with this round trip would.
func (s *Server) SetDelay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// SetRate limits all bodies together to so many bytes/s; 0 for no limit.
func (s *Server) SetRate(bytesPerSecond float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rate, s.free = bytesPerSecond, time.Time{}
}

// Log is a copy of the log, oldest first.
func (s *Server) Log() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Request, len(s.log))
	for i, r := range s.log {
		out[i] = *r
	}
	return out
}

// ResetLog empties the log.
func (s *Server) ResetLog() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
}

// Count is the number of requests for path in the log; of all when path is "".
func (s *Server) Count(path string) int {
	n := 0
	for _, r := range s.Log() {
		if path == "" || r.Path == path {
			n++
		}
	}
	return n
}

// Bytes is the sum of the bodies sent for path; of all when path is "".
func (s *Server) Bytes(path string) int64 {
	n := int64(0)
	for _, r := range s.Log() {
		if path == "" || r.Path == path {
			n += r.Bytes
		}
	}
	return n
}

// open gives the content of f and its length.
func (f *file) open() (content, int64, error) {
	if f.disk == "" {
		return nopCloser{bytes.NewReader(f.data)}, int64(len(f.data)), nil
	}
	d, err := os.Open(f.disk)
	if err != nil {
		return nil, 0, err
	}
	fi, err := d.Stat()
	if err != nil {
		_ = d.Close()
		return nil, 0, err
	}
	return d, fi.Size(), nil
}

// content is that of a file.
type content interface {
	io.ReadSeekCloser
	io.ReaderAt
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

// begin notes a request and says what to do with it.
func (s *Server) begin(r *http.Request) (entry *Request, f *file, rule *Rule, delay time.Duration, stopped chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry = &Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery,
		Range: r.Header.Get("Range"), Header: r.Header.Clone()}
	s.log = append(s.log, entry)
	s.running++
	return entry, s.files[r.URL.Path], s.match(r), s.delay, s.stopped
}

func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.cond.Broadcast()
}

// sent adds n bytes to entry and returns how long the line is busy with them.
func (s *Server) sent(entry *Request, n int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry.Bytes += int64(n)
	if s.rate <= 0 {
		return 0
	}
	now := time.Now()
	if s.free.Before(now) {
		s.free = now
	}
	s.free = s.free.Add(time.Duration(float64(n) / s.rate * float64(time.Second)))
	return s.free.Sub(now)
}

func (s *Server) setStatus(entry *Request, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry.Status = code
}

// pause waits for d; false when ctx or the server ended first.
func pause(ctx context.Context, stopped chan struct{}, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-stopped:
	}
	return false
}
