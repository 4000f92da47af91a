package page

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"net/http"
	"sync"

	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/cmd/internal/words"
	"github.com/zsyncfs/zsyncfs/fs/target"
)

//go:embed assets
var assets embed.FS

// source is a daemon.
type source interface {
	Status() *daemon.Status
	History(dir string) []daemon.Sample
	Map(dir, url string, cells int) (target.Map, bool)
	DoCache(ctx context.Context, r daemon.CacheRequest) (*daemon.CacheAnswer, error)
	Act(ctx context.Context, action, which string) (string, error)
}

// server answers for one daemon.
type server struct {
	source  source
	token   string
	metrics http.Handler
	acts    acts
}

// Handler is the page of d, which listens on address, HOST:PORT. Its actions want token.
// metrics answers at /metrics. What was asked for goes on when ctx has not ended.
func Handler(ctx context.Context, d source, address, token string, metrics http.Handler) http.Handler {
	s := &server{source: d, token: token, metrics: metrics, acts: acts{ctx: ctx}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.overview)
	mux.HandleFunc("GET /artifact", s.artifact)
	mux.HandleFunc("GET /style.css", asset("assets/style.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /page.js", asset("assets/page.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /icon.svg", asset("assets/icon.svg", "image/svg+xml"))
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("POST /act", s.act)
	return guarded(address, mux)
}

func asset(name, kind string) http.HandlerFunc {
	text, err := assets.ReadFile(name)
	return func(w http.ResponseWriter, _ *http.Request) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-cache")
		w.Write(text)
	}
}

// templates are parsed when a page is asked for: a mount should not wait for it.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"size": words.Size, "text": text, "since": words.Since, "count": words.Count, "rate": rate, "clock": clock,
	}).ParseFS(assets, "assets/*.html"))
})

// render answers with a template, or with why it cannot be shown.
func (s *server) render(w http.ResponseWriter, name string, view any) {
	var out bytes.Buffer
	if err := templates().ExecuteTemplate(&out, name, view); err != nil {
		http.Error(w, "the page cannot be shown: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(out.Bytes())
}

func (s *server) overview(w http.ResponseWriter, r *http.Request) {
	s.render(w, "overview.html", s.view(r))
}

// artifact shows one artifact that is open, larger.
func (s *server) artifact(w http.ResponseWriter, r *http.Request) {
	view, ok := s.artifactView(r.FormValue("mount"), r.FormValue("url"))
	if !ok {
		w.WriteHeader(http.StatusNotFound)
	}
	s.render(w, "artifact.html", view)
}
