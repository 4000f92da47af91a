package hostile

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The addresses that the control files expect.
const (
	Addr  = "127.0.0.1:18481" // the server
	Other = "127.0.0.2:18481" // another address of the same server
)

// forbidden are addresses where nobody may ever call: what the control files
// name besides, where something could listen.
var forbidden = []string{"169.254.169.254:80", "127.0.0.1:1"}

// LoopbackAddresses have to be added to the loopback device before Listen.
var LoopbackAddresses = []string{"169.254.169.254/32", "10.0.0.1/32"}

// Server serves the corpus. Safe for concurrent use.
type Server struct {
	cases map[string]Case
	names []string

	listeners []net.Listener
	wg        sync.WaitGroup

	mu    sync.Mutex
	calls []string         // guarded by mu; contacts that must not be
	sent  map[string]int64 // guarded by mu; body bytes by case
}

// NewServer is a server of cases that does not listen yet.
func NewServer(cases []Case) *Server {
	s := &Server{cases: map[string]Case{}, sent: map[string]int64{}}
	for _, c := range cases {
		s.cases[c.Name] = c
		s.names = append(s.names, c.Name)
	}
	return s
}

// Listen serves on Addr and Other, and records calls at the forbidden addresses.
func (s *Server) Listen() error {
	for _, addr := range []string{Addr, Other} {
		l, err := s.listen(addr)
		if err != nil {
			return err
		}
		h := http.Handler(s)
		if addr == Other {
			h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s.record("request at %s: %s", addr, r.URL)
				s.ServeHTTP(w, r)
			})
		}
		s.wg.Go(func() { _ = (&http.Server{Handler: h}).Serve(l) })
	}
	for _, addr := range forbidden {
		l, err := s.listen(addr)
		if err != nil {
			return err
		}
		s.wg.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				s.record("connection to %s", addr)
				conn.Close()
			}
		})
	}
	return nil
}

func (s *Server) listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		s.listeners = append(s.listeners, l)
	}
	return l, err
}

// Close ends listening. Connections that are open end with their clients.
func (s *Server) Close() {
	for _, l := range s.listeners {
		l.Close()
	}
	s.wg.Wait()
}

func (s *Server) record(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, fmt.Sprintf(format, args...))
}

// Calls are the contacts so far that must not be: connections to forbidden
// addresses, requests at Other, headers smuggled in.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.calls...)
}

// Sent is the number of body bytes that were sent for a case.
func (s *Server) Sent(name string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent[name]
}

// counted counts the body bytes of an answer.
type counted struct {
	http.ResponseWriter
	s    *Server
	name string
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.s.mu.Lock()
	c.s.sent[c.name] += int64(n)
	c.s.mu.Unlock()
	return n, err
}

// ServeHTTP answers for /h/, /h/CASE/ and what lies in there.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Evil") != "" {
		s.record("header X-Evil with %s", r.URL)
	}
	if strings.Contains(r.URL.Path, "/loop/") {
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/h/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	if path == "" {
		s.list(w, "/", s.names)
		return
	}
	name, file, _ := strings.Cut(path, "/")
	c, ok := s.cases[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	s.serveCase(counted{w, s, name}, r, c, file)
}

func (s *Server) serveCase(w http.ResponseWriter, r *http.Request, c Case, file string) {
	switch file {
	case "":
		s.list(w, "", []string{"t.dat", "t.dat.gz", "t.dat.zsync"})
	case "t.dat.zsync":
		content := io.ReadSeeker(bytes.NewReader(c.Control))
		if c.Name == LongLine {
			content = io.NewSectionReader(longLine{}, 0, LongLineLength)
		}
		serveContent(w, r, content)
	case "t.dat":
		serveContent(w, r, bytes.NewReader(c.Target))
	case "t.dat.gz":
		serveContent(w, r, bytes.NewReader(compress(c.Target)))
	case "norange.dat":
		_, _ = w.Write(c.Target)
	case "redir/t.dat":
		http.Redirect(w, r, "/h/"+c.Name+"/t.dat", http.StatusFound)
	default:
		http.NotFound(w, r)
	}
}

func serveContent(w http.ResponseWriter, r *http.Request, content io.ReadSeeker) {
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Unix(1_700_000_000, 0), content)
}

func compress(data []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

// list writes a listing in the form of Python's server.
func (s *Server) list(w http.ResponseWriter, slash string, names []string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, "<!DOCTYPE HTML><html><body><ul>\n")
	for _, n := range names {
		n = html.EscapeString(n + slash)
		fmt.Fprintf(w, "<li><a href=\"%s\">%s</a></li>\n", n, n)
	}
	fmt.Fprint(w, "</ul></body></html>\n")
}
