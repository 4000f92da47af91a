package zsyncclient

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	mountfixture "github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
)

// TestClientCertificate: only the source sees it, though every server asks.
func TestClientCertificate(t *testing.T) {
	seen := map[string]int{}
	server := func(name string, then string) *httptest.Server {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen[name] = len(r.TLS.PeerCertificates)
			if then != "" {
				http.Redirect(w, r, then, http.StatusFound)
			}
		}))
		s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	mirror := server("mirror", "")
	other := server("other", "")
	source := server("source", other.URL)
	o := Options{Insecure: true, Origins: []*url.URL{mustURL(source.URL)}, Mirrors: []*url.URL{mustURL(mirror.URL)}, AllowPrivate: true}
	dir := t.TempDir()
	o.ClientCert, o.ClientKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := mountfixture.Certificate(o.ClientCert, o.ClientKey); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, o)
	for _, u := range []string{source.URL, mirror.URL} {
		a, err := c.get(context.Background(), ask{url: mustURL(u)})
		if err != nil {
			t.Fatal(err)
		}
		a.body.done()
	}
	if seen["source"] != 1 || seen["mirror"] != 0 || seen["other"] != 0 || len(seen) != 3 {
		t.Errorf("certificates that servers saw: %v", seen)
	}
}

// TestMirrorsGetNoCredentials: except their own.
func TestMirrorsGetNoCredentials(t *testing.T) {
	netrc := filepath.Join(t.TempDir(), "netrc")
	if err := os.WriteFile(netrc, []byte("machine localhost login nora password pw\ndefault login dora password pw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, Options{
		Origins: []*url.URL{mustURL("https://source.example/")},
		Mirrors: []*url.URL{mustURL("https://mirror.example/"), mustURL("https://bob:pw@own.example/"), mustURL("http://localhost/"), mustURL("http://source.example/")},
		User:    url.UserPassword("ann", "secret"), Header: http.Header{"X-Token": {"secret"}}, Netrc: netrc,
	})
	for u, want := range map[string]string{
		"https://source.example/x": "ann", "https://mirror.example/x": "", "https://own.example/x": "bob",
		"http://localhost/x": "nora", "http://source.example/x": "", "https://source.example:8443/x": "",
	} {
		r := &http.Request{Header: c.headerFor(ask{}, mustURL(u))}
		name, _, _ := r.BasicAuth()
		if token := r.Header.Get("X-Token"); name != want || (token != "") != (want == "ann") {
			t.Errorf("%s gets %q and token %q", u, name, token)
		}
	}
}

// TestDocumentKey: what is kept under it is not for others, and shows no secret.
func TestDocumentKey(t *testing.T) {
	key := func(o Options, u string) string {
		o.Origins = []*url.URL{mustURL(u)}
		return newClient(t, o).DocumentKey(mustURL(u))
	}
	if got := key(Options{}, "http://h/d/"); got != "http://h/d/" {
		t.Errorf("plain: %s", got)
	}
	if got := key(Options{}, "http://bob:pw@h/d/"); got != "http://bob@h/d/" {
		t.Errorf("with a login: %s", got)
	}
	if got := key(Options{Header: http.Header{"X-Token": {"pw"}}}, "http://h/d/"); got != "http://%2A@h/d/" && got != "http://*@h/d/" {
		t.Errorf("with a header: %s", got)
	}
	one, two := key(Options{}, "http://h/?sig=a"), key(Options{}, "http://h/?sig=b")
	if one == two || len(one) != len("http://h/?sha256:")+64 {
		t.Errorf("with a query: %s", one)
	}
}
