package fileserver

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	// pieceLength is how much of a body is handed to the kernel at a time, and
	// pieceTimeout how long a client may take to receive it.
	pieceLength  = 256 << 10
	pieceTimeout = time.Minute
)

// logged writes a line of the access log when a request ends, however it ends.
func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cw := &countingWriter{ResponseWriter: w, control: http.NewResponseController(w), head: r.Method == http.MethodHead}
		began := time.Now()
		if s.o.AccessLog != nil {
			defer func() { io.WriteString(s.o.AccessLog, logLine(r, cw, began)) }()
		}
		cw.extendDeadline() // for answers without a body
		next.ServeHTTP(cw, r)
	})
}

// countingWriter counts the bytes of the body that the connection took, and
// gives up on clients that take none.
type countingWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	head    bool // HEAD: net/http takes a body and does not send it
	status  int
	bytes   int64 // of the body, sent
}

func (w *countingWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.extendDeadline()
	n, err := w.ResponseWriter.Write(p)
	if !w.head {
		w.bytes += int64(n)
	}
	return n, err
}

// ReadFrom keeps the way from file to socket inside the kernel: io.Copy finds
// it here, and the net package finds the file inside the LimitedReader. It goes
// by pieces so that the deadline can move on as long as the client receives.
func (w *countingWriter) ReadFrom(src io.Reader) (int64, error) {
	to, ok := w.ResponseWriter.(io.ReaderFrom)
	if !ok {
		return io.Copy(struct{ io.Writer }{w}, src)
	}
	limit, ok := src.(*io.LimitedReader)
	if !ok {
		limit = &io.LimitedReader{R: src, N: 1<<63 - 1}
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	var total int64
	for limit.N > 0 {
		w.extendDeadline()
		piece := min(limit.N, pieceLength)
		n, err := to.ReadFrom(&io.LimitedReader{R: limit.R, N: piece})
		total += n
		limit.N -= n
		w.bytes += n
		if err != nil {
			return total, err
		}
		if n < piece {
			break // the source ended
		}
	}
	return total, nil
}

// Unwrap is for http.ResponseController.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// extendDeadline ignores errors: a recorder in a test has no deadlines.
func (w *countingWriter) extendDeadline() {
	_ = w.control.SetWriteDeadline(time.Now().Add(pieceTimeout))
}

// logLine is one request in the combined log format.
func logLine(r *http.Request, w *countingWriter, began time.Time) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = "-"
	}
	user, _, ok := r.BasicAuth()
	if !ok || user == "" {
		user = "-"
	}
	status := w.status
	if status == 0 {
		status = http.StatusOK // net/http sends it for a handler that wrote nothing
	}
	return fmt.Sprintf("%s - %s [%s] %s %d %d %s %s\n",
		host, strings.ReplaceAll(strings.Trim(logQuote(user), `"`), " ", "_"),
		began.Format("02/Jan/2006:15:04:05 -0700"),
		logQuote(r.Method+" "+r.RequestURI+" "+r.Proto), status, w.bytes,
		logQuote(orDash(r.Referer())), logQuote(orDash(r.UserAgent())))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// logQuote puts s in quotes so that it cannot end the field or the line.
func logQuote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// errorLog drops what net/http says about broken connections, and keeps what
// an operator must know.
func errorLog(warn func(error)) *log.Logger { return log.New(errorWriter{warn}, "", 0) }

type errorWriter struct{ warn func(error) }

func (w errorWriter) Write(p []byte) (int, error) {
	text := strings.TrimSpace(string(p))
	if strings.Contains(text, "panic serving") || strings.Contains(text, "Accept error") {
		w.warn(errors.New(text))
	}
	return len(p), nil
}
