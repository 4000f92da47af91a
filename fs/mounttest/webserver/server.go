package webserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Kind is a web server program.
type Kind string

// The servers that can be started.
const (
	Nginx    Kind = "nginx"
	Apache   Kind = "apache2"
	Lighttpd Kind = "lighttpd"
	// Python is http.server: HTTP/1.0, listings, no ranges.
	Python Kind = "python3"
)

// Options of a server. Root is required; the rest is off when zero. Python
// knows only Root; BytesPerSecond, JSONIndex and NoRanges are nginx's.
type Options struct {
	// Root is the folder to serve. It and all above it must be readable by
	// everyone: apache2 gives up its privileges.
	Root string
	// Port to listen on; 0 is any free port.
	Port int
	// User and Password ask for basic authentication everywhere.
	User, Password string
	// Redirects answer these exact paths with 302 to the value, a path or URL.
	Redirects map[string]string
	// BytesPerSecond is the rate of each connection.
	BytesPerSecond int64
	// JSONIndex lists directories as JSON.
	JSONIndex bool
	// NoRanges answers Range requests with 200 and everything.
	NoRanges bool
}

// Server is a running server. Safe for concurrent use.
type Server struct {
	Kind Kind
	// Port is where it listens on 127.0.0.1.
	Port int

	options Options
	dir     string // configuration and logs
	log     string // access log's path
	line    func(string) (Request, bool)

	mu      sync.Mutex
	cmd     *exec.Cmd     // guarded by mu; nil when stopped
	ended   chan struct{} // guarded by mu; closed when cmd has ended
	settles int           // guarded by mu; number of own requests
}

// ready is how long a server may take to answer, or to write its log.
const ready = 20 * time.Second

// settlePath begins the paths of the requests that Log makes by itself.
const settlePath = "/.settle-"

// program is how one Kind is run.
type program struct {
	names     []string // tried in order
	configure func(s *Server) (args []string, err error)
	line      func(string) (Request, bool)
	unable    func(o Options) bool // true: o asks for what the server cannot do
}

var programs = map[Kind]program{
	Nginx:    {[]string{"nginx"}, (*Server).nginx, combinedLine, func(Options) bool { return false }},
	Apache:   {[]string{"apache2"}, (*Server).apache, combinedLine, nginxOnly},
	Lighttpd: {[]string{"lighttpd"}, (*Server).lighttpd, combinedLine, nginxOnly},
	Python: {[]string{"/usr/bin/python3", "python3"}, (*Server).python, pythonLine, func(o Options) bool {
		return nginxOnly(o) || o.User != "" || o.Redirects != nil
	}},
}

func nginxOnly(o Options) bool { return o.BytesPerSecond != 0 || o.JSONIndex || o.NoRanges }

// find looks name up in the path and where Debian keeps servers.
func find(names []string) (string, error) {
	for _, name := range names {
		for _, p := range []string{name, "/usr/sbin/" + filepath.Base(name)} {
			if path, err := exec.LookPath(p); err == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%s is not installed", names[0])
}

// Available says why kind cannot be started; nil when it can.
func Available(kind Kind) error {
	_, err := find(programs[kind].names)
	return err
}

// Start runs a server until the end of the test and returns when it answers.
// The test is skipped when the program is missing. When the test has failed,
// the logs are printed.
func Start(t testing.TB, kind Kind, o Options) *Server {
	t.Helper()
	if err := Available(kind); err != nil {
		t.Skip(err)
	}
	if programs[kind].unable(o) {
		t.Fatalf("%s cannot do what these options ask for: %+v", kind, o)
	}
	dir, err := os.MkdirTemp("", "webserver-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // apache2's workers are another user
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{Kind: kind, options: o, dir: dir, log: filepath.Join(dir, "access.log"), line: programs[kind].line}
	t.Cleanup(s.Stop)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", s.dump())
		}
	})
	for try := 1; ; try++ {
		if err = s.start(); err == nil {
			return s
		}
		// A free port can be taken by another process before the server has it.
		if try == 3 || o.Port != 0 {
			t.Fatalf("start %s: %v\n%s", kind, err, s.dump())
		}
	}
}

func (s *Server) start() error {
	s.Port = s.options.Port
	if s.Port == 0 {
		port, err := freePort()
		if err != nil {
			return err
		}
		s.Port = port
	}
	p := programs[s.Kind]
	path, err := find(p.names)
	if err != nil {
		return err
	}
	args, err := p.configure(s)
	if err != nil {
		return err
	}
	output, err := os.OpenFile(s.file("output.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer output.Close()
	cmd := exec.Command(path, args...)
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	s.mu.Lock()
	s.cmd, s.ended = cmd, ended
	s.mu.Unlock()
	if err := s.waitReady(ended); err != nil {
		s.Stop()
		return err
	}
	return nil
}

// waitReady returns when the server has answered a request.
func (s *Server) waitReady(ended <-chan struct{}) error {
	deadline := time.Now().Add(ready)
	for {
		err := s.ping(settlePath + "start")
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("ended at once")
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no answer after %v: %w", ready, err)
		}
	}
}

// ping makes a request; any answer will do.
func (s *Server) ping(path string) error {
	client := http.Client{Timeout: ready, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(s.URL(path))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
	return err
}

// Stop ends the server and waits until it has ended. Nothing listens on its
// port afterwards. Stopping twice does nothing.
func (s *Server) Stop() {
	s.mu.Lock()
	cmd, ended := s.cmd, s.ended
	s.cmd = nil
	s.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Process.Signal(syscall.SIGCONT) // it may be paused
	select {
	case <-ended:
	case <-time.After(ready):
		_ = cmd.Process.Kill()
		<-ended
	}
}

// Pause stops the process of a server that is one (nginx, Python) by SIGSTOP: the
// kernel takes connections for it, and nobody answers, until Resume.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return errors.New("the server does not run")
	}
	return s.cmd.Process.Signal(sig)
}

// Restart starts a stopped server again on the same port. The log goes on.
func (s *Server) Restart() error {
	s.options.Port = s.Port
	return s.start()
}

// URL is the server's URL of path, which starts with a slash and is escaped.
func (s *Server) URL(path string) string {
	return fmt.Sprintf("http://127.0.0.1:%d%s", s.Port, path)
}

// Addr is the host and port that the server listens on.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.Port) }

// Log returns the requests that have ended so far, without those that Log made.
// On a stopped server it is the whole log.
func (s *Server) Log(t testing.TB) Requests {
	t.Helper()
	if err := s.settle(); err != nil {
		t.Fatalf("access log of %s: %v", s.Kind, err)
	}
	rs, err := s.parse()
	if err != nil {
		t.Fatal(err)
	}
	return rs.Where(func(r Request) bool { return !strings.HasPrefix(r.Path, settlePath) })
}

// settle returns when the log has the line of a request made now, and did not
// grow any more after that (apache2's threads write lines out of order).
func (s *Server) settle() error {
	s.mu.Lock()
	running := s.cmd != nil
	s.settles++
	path := fmt.Sprintf("%s%d", settlePath, s.settles)
	s.mu.Unlock()
	if !running {
		return nil
	}
	if err := s.ping(path); err != nil {
		return err
	}
	deadline := time.Now().Add(ready)
	for before := -1; ; {
		rs, err := s.parse()
		if err != nil {
			return err
		}
		seen := len(rs.Where(func(r Request) bool { return r.Path == path })) > 0
		if seen && len(rs) == before {
			return nil
		}
		if seen {
			before = len(rs)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the line of %s did not come within %v", path, ready)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *Server) parse() (Requests, error) {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return nil, err
	}
	return parseLog(string(text), s.line), nil
}

// file is the path of a file in the server's own folder.
func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

// dump is what a person wants to see of a server whose test failed.
func (s *Server) dump() string {
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s on port %d\n", s.Kind, s.Port)
	for _, name := range []string{"access.log", "error.log", "output.log"} {
		text, err := os.ReadFile(s.file(name))
		if err != nil || len(text) == 0 {
			continue
		}
		fmt.Fprintf(&b, "--- %s\n%s", name, tail(text, 8<<10))
	}
	return b.String()
}

// tail is the end of text, at most n bytes, from the start of a line on.
func tail(text []byte, n int) []byte {
	if len(text) <= n {
		return text
	}
	text = text[len(text)-n:]
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	return text
}

// freePort is a port of 127.0.0.1 that nothing listens on now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
