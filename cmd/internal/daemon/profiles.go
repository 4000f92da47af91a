package daemon

import (
	"net/http"
	"net/http/pprof"
)

// addProfiles adds the profiles of this process to the socket's requests. They are
// found once a mount has asked for them (Spec.Profiles), until the daemon ends.
func (s *socket) addProfiles(mux *http.ServeMux) {
	for path, handler := range map[string]http.HandlerFunc{
		"":        pprof.Index, // heap, allocs, goroutine and others are found by it
		"cmdline": pprof.Cmdline,
		"profile": pprof.Profile,
		"symbol":  pprof.Symbol,
		"trace":   pprof.Trace,
	} {
		mux.HandleFunc("GET /debug/pprof/"+path, func(w http.ResponseWriter, r *http.Request) {
			if !s.daemon.profiles.Load() {
				http.Error(w, "no mount of this daemon was made with --pprof", http.StatusNotFound)
				return
			}
			handler(w, r)
		})
	}
}
