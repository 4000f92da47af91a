package fileserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
)

// authenticated lets only clients through that know the user and password, if
// there are any.
func (s *Server) authenticated(next http.Handler) http.Handler {
	if s.o.User == "" {
		return next
	}
	want := sha256.Sum256([]byte(s.o.User + ":" + s.o.Password))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		got := sha256.Sum256([]byte(user + ":" + password))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="zsyncfs", charset="UTF-8"`)
			fail(w, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
