package faulty

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Proxy stands between a program and a server. Safe for concurrent use.
type Proxy struct {
	server string // http://host:port
	listen net.Listener
	client *http.Client

	mu    sync.Mutex
	rng   *rand.Rand       // guarded by mu
	rate  float64          // guarded by mu
	kinds []Kind           // guarded by mu
	hits  map[string]int64 // guarded by mu: by kind
	total int64            // guarded by mu: replies
	// closing is closed at the end of the test: endless replies end.
	closing chan struct{}
}

// Start is a proxy for the server at http://host:port, until the end of the test. It
// does nothing wrong before Break.
func Start(t testing.TB, server string, seed uint64) *Proxy {
	t.Helper()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		server: server, listen: listen, closing: make(chan struct{}),
		client: &http.Client{
			Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		rng: rand.New(rand.NewPCG(seed, 1)), hits: map[string]int64{},
	}
	s := &http.Server{Handler: p}
	done := make(chan struct{})
	go func() { _ = s.Serve(listen); close(done) }()
	t.Cleanup(func() {
		close(p.closing)
		s.Close()
		<-done
		p.client.CloseIdleConnections()
	})
	return p
}

// URL is that of a path, which begins with a slash.
func (p *Proxy) URL(path string) string { return "http://" + p.listen.Addr().String() + path }

// Break has rate (0 to 1) of the replies hit by one of the kinds; Break(0) ends that.
func (p *Proxy) Break(rate float64, kinds ...Kind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate, p.kinds = rate, kinds
}

// Hits is how many replies were hit since the start, by the kind's name, and Total how
// many replies there were.
func (p *Proxy) Hits() (hits map[string]int64, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	hits = map[string]int64{}
	for k, n := range p.hits {
		hits[k] = n
	}
	return hits, p.total
}

// draw says what happens to the next reply: a kind without a name for nothing.
func (p *Proxy) draw() (Kind, *rand.Rand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total++
	own := rand.New(rand.NewPCG(p.rng.Uint64(), p.rng.Uint64()))
	if len(p.kinds) == 0 || p.rng.Float64() >= p.rate {
		return Kind{}, own
	}
	return p.kinds[p.rng.IntN(len(p.kinds))], own
}

func (p *Proxy) hit(k Kind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hits[k.Name]++
}

// ServeHTTP hands a request on, and the reply back.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, rng := p.draw()
	request := r.Clone(r.Context())
	request.RequestURI = ""
	if kind.request != nil {
		kind.request(request)
	}
	url := *r.URL
	parsed, err := http.NewRequest(r.Method, p.server+url.RequestURI(), nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	request.URL, request.Host = parsed.URL, ""
	reply, err := p.client.Do(request)
	if err != nil {
		http.Error(w, fmt.Sprint("no reply of the server: ", err), http.StatusBadGateway)
		return
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	a := &answer{status: reply.StatusCode, header: reply.Header, body: body, length: -1}
	if kind.reply != nil && !kind.reply(a, rng) {
		kind = Kind{}
	}
	if kind.Name != "" {
		p.hit(kind)
	}
	p.send(w, r, a)
}

// answer is a reply on its way back.
type answer struct {
	status int
	header http.Header
	body   []byte
	// length is what Content-Length says if that is not the length of body.
	length int64
	// delay is a pause in the midst of the body, endless more body without an end.
	delay   time.Duration
	endless bool
}

func (p *Proxy) send(w http.ResponseWriter, r *http.Request, a *answer) {
	h := w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	h.Del("Content-Length")
	switch {
	case a.endless:
	case a.length >= 0:
		h.Set("Content-Length", fmt.Sprint(a.length))
	case r.Method != http.MethodHead:
		h.Set("Content-Length", fmt.Sprint(len(a.body)))
	}
	w.WriteHeader(a.status)
	if r.Method == http.MethodHead {
		return
	}
	first := a.body
	if a.delay > 0 {
		first = a.body[:len(a.body)/2]
	}
	if _, err := w.Write(first); err != nil {
		return
	}
	if a.delay > 0 {
		_ = http.NewResponseController(w).Flush()
		if !p.sleep(r, a.delay) {
			return
		}
		_, _ = w.Write(a.body[len(first):])
	}
	for a.endless {
		if _, err := w.Write(a.body); err != nil || !p.sleep(r, time.Millisecond) {
			return
		}
	}
	if a.length > int64(len(a.body)) {
		panic(http.ErrAbortHandler) // the connection ends in the midst
	}
}

// sleep is false when the reader or the test came to an end meanwhile.
func (p *Proxy) sleep(r *http.Request, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-r.Context().Done():
	case <-p.closing:
	}
	return false
}
