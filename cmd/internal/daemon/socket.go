package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	socketName = "socket"
	// requestLimit is the longest request body, and line of an answer, in bytes.
	requestLimit = 1 << 20
	// sendBuffer is how much may wait for a client to read it, in bytes: a few
	// seconds of a get's lines, so that one that is stopped is noticed.
	sendBuffer = 4 << 10
)

// Failure is an error that crosses the socket.
type Failure struct {
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Code    int    `json:"code"`
	Ending  bool   `json:"ending,omitempty"`   // the daemon is going: start another
	NoMatch bool   `json:"no_match,omitempty"` // it is an ErrNoMatch
}

func (f *Failure) Error() string { return f.Message }

// Is makes of a failure that crossed the socket what it was before.
func (f *Failure) Is(target error) bool { return f.NoMatch && target == ErrNoMatch }

// failure is what a client is told of err.
func (s *socket) failure(err error) *Failure {
	code, hint := s.daemon.options.Describe(err)
	return &Failure{
		Message: err.Error(), Hint: hint, Code: code,
		Ending: errors.Is(err, ErrEnding), NoMatch: errors.Is(err, ErrNoMatch),
	}
}

// socket is the listening side.
type socket struct {
	daemon *Daemon
	server *http.Server
	path   string
	dir    *os.File
	serve  sync.WaitGroup
}

// byDescriptor is a short path of name in the open folder dir.
func byDescriptor(dir *os.File, name string) string {
	return "/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + name
}

// listen makes the socket. A socket that is there is a dead daemon's: the
// store's lock is ours.
func listen(d *Daemon) (*socket, error) {
	dir, err := os.Open(d.options.Store)
	if err != nil {
		return nil, err
	}
	s := &socket{daemon: d, path: filepath.Join(d.options.Store, socketName), dir: dir}
	if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		dir.Close()
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: byDescriptor(dir, socketName), Net: "unix"})
	if err != nil {
		dir.Close()
		return nil, fmt.Errorf("make the control socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(s.path, 0o600); err != nil {
		l.Close()
		dir.Close()
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("POST /v1/mounts", s.mount)
	mux.HandleFunc("POST /v1/get", s.get)
	mux.HandleFunc("POST /v1/cache", s.cache)
	s.addProfiles(mux)
	s.server = &http.Server{
		Handler:           http.MaxBytesHandler(mux, requestLimit),
		ReadHeaderTimeout: 10 * time.Second,
	}
	s.serve.Go(func() { s.server.Serve(ownPeers{l}) })
	return s, nil
}

// close removes the socket and waits for answers under way.
func (s *socket) close() {
	// By the folder that it was made in: somebody may have removed that, and another
	// daemon may have a socket of the same path.
	os.Remove(byDescriptor(s.dir, socketName))
	ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		s.server.Close()
	}
	s.serve.Wait()
	s.dir.Close()
}

// ownPeers accepts connections of the daemon's own user and of root.
type ownPeers struct{ *net.UnixListener }

func (l ownPeers) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if uid, err := peerUID(c); err == nil && (uid == 0 || uid == os.Geteuid()) {
			c.SetWriteBuffer(sendBuffer)
			return c, nil
		}
		c.Close()
	}
}

func peerUID(c *net.UnixConn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var cerr error
	err = raw.Control(func(fd uintptr) {
		cred, cerr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(err, cerr); err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}

func (s *socket) status(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, s.daemon.Status())
}

func (s *socket) mount(w http.ResponseWriter, r *http.Request) {
	var spec Spec
	if !readRequest(w, r, &spec) {
		return
	}
	if err := s.daemon.Mount(r.Context(), spec); err != nil {
		reply(w, http.StatusConflict, s.failure(err))
		return
	}
	reply(w, http.StatusOK, struct{}{})
}

func (s *socket) cache(w http.ResponseWriter, r *http.Request) {
	var request CacheRequest
	if !readRequest(w, r, &request) {
		return
	}
	answer, err := s.daemon.DoCache(r.Context(), request)
	if err != nil {
		reply(w, http.StatusConflict, s.failure(err))
		return
	}
	reply(w, http.StatusOK, answer)
}

// readRequest reads the body of a request into v, or answers that it is none. What is
// not known here is of another version of the program, and refused. All of the body is
// read: what follows then notices when the client hangs up.
func readRequest(w http.ResponseWriter, r *http.Request, v any) bool {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		reply(w, http.StatusBadRequest, Failure{Message: "bad request: " + err.Error(), Code: 1})
		return false
	}
	io.Copy(io.Discard, r.Body)
	return true
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}
