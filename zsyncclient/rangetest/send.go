package rangetest

import (
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"
)

// piece is the most that is written at once where a rate or a limit holds, and
// bigPiece elsewhere, in bytes.
const (
	piece    = 8 << 10
	bigPiece = 256 << 10
)

// send writes rep, as far as rule lets it.
func (s *Server) send(w http.ResponseWriter, r *http.Request, rep *reply, rule *Rule, entry *Request, stopped chan struct{}) {
	for name, values := range rep.header {
		w.Header()[name] = values
	}
	if !rep.chunked && rep.code != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.FormatInt(rep.length, 10))
	}
	s.setStatus(entry, rep.code)
	w.WriteHeader(rep.code)
	if r.Method == http.MethodHead || rep.code == http.StatusNotModified {
		return
	}
	limit := int64(math.MaxInt64)
	cut := rule.Fault == ShortBody || rule.Fault == Stall || rule.Fault == Reset
	if cut {
		limit = rule.After
	}
	flusher := http.NewResponseController(w)
	if !s.copyBody(w, r, flusher, rep.body, limit, rule, entry, stopped) {
		return
	}
	if cut {
		_ = flusher.Flush()
	}
	switch rule.Fault {
	case Stall:
		pause(r.Context(), stopped, time.Hour)
	case Reset:
		reset(w)
	case ShortBody:
		panic(http.ErrAbortHandler)
	}
}

// copyBody writes at most limit bytes of body; false when the client went away.
func (s *Server) copyBody(w io.Writer, r *http.Request, flusher *http.ResponseController, body io.Reader,
	limit int64, rule *Rule, entry *Request, stopped chan struct{}) bool {
	size := bigPiece
	if limit < math.MaxInt64 || s.limited() {
		size = piece
	}
	if rule.Fault == Drip {
		size = 1
	}
	buf := make([]byte, size)
	for limit > 0 {
		n, err := body.Read(buf[:min(int64(size), limit)])
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return false
			}
			busy := s.sent(entry, n)
			if rule.Fault == Drip {
				_ = flusher.Flush()
				busy = max(busy, rule.Delay)
			}
			if !pause(r.Context(), stopped, busy) {
				return false
			}
		}
		limit -= int64(n)
		if err != nil {
			break
		}
	}
	return true
}

func (s *Server) limited() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rate > 0
}

// reset closes the connection so that the client sees a reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
