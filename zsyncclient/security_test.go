package zsyncclient

import (
	"context"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

func TestForbidden(t *testing.T) {
	bad := []string{"127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "224.0.0.1", "255.255.255.255", "240.0.0.1",
		"198.18.0.1", "192.0.0.192", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1"}
	for _, s := range bad {
		if !forbidden(netip.MustParseAddr(s)) {
			t.Errorf("%s is allowed", s)
		}
	}
	for _, s := range []string{"1.1.1.1", "151.101.2.132", "2606:4700::1111", "64:ff9b::101:101", "2002:101:101::1"} {
		if forbidden(netip.MustParseAddr(s)) {
			t.Errorf("%s is forbidden", s)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for _, s := range []string{"ftp://h/x", "file:///x", "gopher://127.0.0.1/1", "javascript:alert(1)", "http:///x", "http:x",
		"http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://0177.0.0.1/", "http://1.2.3.4.5/", "http://１２７.1/"} {
		if u, err := url.Parse(s); err == nil && checkURL(u) == nil {
			t.Errorf("%s is accepted", s)
		}
	}
	for _, s := range []string{"http://h/x", "https://h.example:8443/", "http://1.2.3.4/", "http://[::1]:80/", "http://1e100.net/", "http://0xcafe.example/", "http://bücher.example/"} {
		if err := checkURL(mustURL(s)); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// What a proxy would be told is looked at as it is told.
func TestCheckLiteral(t *testing.T) {
	for _, s := range []string{"http://169.254.169.254/", "https://１６９.２５４.１６９.２５４/", "http://①②⑦.⓪.⓪.①/", "http://LocalHost./", "http://ｌｏｃａｌｈｏｓｔ/", "http://[::1]/"} {
		if err := checkLiteral(mustURL(s)); !errors.Is(err, ErrForbiddenAddress) {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{"http://1.1.1.1/", "http://bücher.example/"} {
		if err := checkLiteral(mustURL(s)); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// Addresses that only the user may name are not contacted for a control file or
// a redirect.
func TestDialGuard(t *testing.T) {
	other := startServer(t)
	port := other.Addr()[strings.LastIndexByte(other.Addr(), ':'):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.0.0.2", "0.0.0.0"} {
		u := "http://" + host + port + "/x/t.dat"
		f := newFixture(t, fixtureOptions{urls: []string{u}})
		f.srv.Remove("/d/t.dat")
		other.Put("/x/t.dat", f.target)
		err := f.fetch(context.Background(), f.source(), f.all())
		wantSourceError(t, err, ErrForbiddenAddress.Error())

		g := newFixture(t, fixtureOptions{})
		g.srv.Add(rangetest.Rule{Path: "/d/t.dat", Fault: rangetest.Redirect, Text: u})
		wantSourceError(t, g.fetch(context.Background(), g.source(), g.all()), ErrForbiddenAddress.Error())
	}
	if n := other.Count(""); n != 0 {
		t.Errorf("%d requests got through", n)
	}
	// The user may allow it, or name it.
	f := newFixture(t, fixtureOptions{urls: []string{other.URL("/x/t.dat")}})
	f.c.AddOrigin(mustURL(other.URL("/")))
	if err := f.fetch(context.Background(), f.source(), f.all()); err != nil || other.Count("") != 1 {
		t.Errorf("named by the user: %v after %d requests", err, other.Count(""))
	}
}

// The check is made when a name has been resolved, not before.
func TestDialGuardAfterResolving(t *testing.T) {
	if _, err := net.LookupHost("localhost"); err != nil {
		t.Skipf("this machine does not know localhost: %v", err)
	}
	_, err := guardedDial(context.Background(), "tcp", "localhost:1")
	if !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("dial of a name for loopback: %v", err)
	}
	if temporary(err) {
		t.Error("a refused address is tried again")
	}
}

func TestProxy(t *testing.T) {
	// The environment is read once per process by net/http, so the choice of the
	// proxy is tested at the transport's own seam.
	srv := startServer(t)
	srv.Put("/x", []byte("through the proxy"))
	c := newClient(t, Options{})
	ctx := context.WithValue(context.Background(), dialRightKey{}, dialRight{proxy: mustURL(srv.URL("/"))})
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://target.example/x", nil)
	resp, err := c.transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 200 || srv.Count("/x") != 1 {
		t.Errorf("status %d", resp.StatusCode)
	}
	if _, err := c.dialRight(mustURL("http://169.254.169.254/latest")); !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("literal address before a proxy: %v", err)
	}
}

func authOf(t *testing.T, srv *rangetest.Server, path string) (user, password, extra string) {
	t.Helper()
	for _, r := range srv.Log() {
		if r.Path == path {
			q := http.Request{Header: r.Header}
			user, password, _ = q.BasicAuth()
			return user, password, r.Header.Get("X-Token")
		}
	}
	t.Fatalf("no request for %s", path)
	return
}

func TestCredentials(t *testing.T) {
	netrcFile := filepath.Join(t.TempDir(), "netrc")
	if err := os.WriteFile(netrcFile, []byte("# mine\nmachine 127.0.0.1\n  login nora\n  # secret\n  password n#pw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name           string
		user, password string
		set            func(o *Options)
	}{
		{"none", "", "", func(*Options) {}},
		{"basic", "ann", "pw", func(o *Options) { o.User = url.UserPassword("ann", "pw") }},
		{"in URL", "bob", "p w", func(o *Options) {
			o.User = url.UserPassword("ann", "pw")
			u := *o.Origins[0]
			u.User = url.UserPassword("bob", "p w")
			o.Origins = []*url.URL{&u}
		}},
		{"netrc", "nora", "n#pw", func(o *Options) { o.Netrc = netrcFile }},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			other := startServer(t)
			f := newFixture(t, fixtureOptions{urls: []string{"http://eve:evil@" + other.Addr() + "/x/t.dat"}, client: func(o *Options) {
				tc.set(o)
				o.AllowPrivate = true
				o.Header = http.Header{"x-token": {"secret"}}
			}})
			f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Fault: rangetest.Redirect, Text: other.URL("/y/t.dat?sig=1")})
			other.Put("/y/t.dat", f.target)
			if err := f.fetch(context.Background(), f.source(), f.all()); err != nil {
				t.Fatal(err)
			}
			if user, password, extra := authOf(t, f.srv, "/d/t.dat"); user != tc.user || password != tc.password || extra != "secret" {
				t.Errorf("the origin got %q %q %q", user, password, extra)
			}
			for _, path := range []string{"/x/t.dat", "/y/t.dat"} {
				if user, password, extra := authOf(t, other, path); user+password+extra != "" {
					t.Errorf("%s got %q %q %q", path, user, password, extra)
				}
			}
			if got := other.Log()[1]; got.Range == "" {
				t.Error("the redirect lost the range")
			}
		})
	}
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, o := range map[string]Options{
		"netrc missing": {Netrc: filepath.Join(dir, "none")},
		"netrc cut":     {Netrc: write("netrc", "machine")},
		"ca missing":    {CACert: filepath.Join(dir, "none")},
		"ca no PEM":     {CACert: write("ca", "hello")},
		"cert no key":   {ClientCert: write("cert", "x")},
		"cert no PEM":   {ClientCert: write("cert", "x"), ClientKey: write("key", "x")},
		"origin scheme": {Origins: []*url.URL{mustURL("ftp://h/")}},
	} {
		if c, err := New(o); err == nil {
			c.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

// Neither queries nor user information show in errors.
func TestSecretsInErrors(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	u := *f.url
	u.User, u.RawQuery = url.UserPassword("ann", "hunter2"), "sig=hunter2"
	f.c.AddOrigin(&u)
	ctl := f.ctl()
	ctl.URL, ctl.Final = &u, &u
	for _, rule := range []rangetest.Rule{
		{Fault: rangetest.Status, Status: 404},
		{Fault: rangetest.Redirect, Text: "http://10.1.2.3/x?sig=hunter2"},
		{Fault: rangetest.Redirect, Text: "http://ann:hunter2@[bad/x?sig=hunter2"},
		{Fault: rangetest.Redirect, Text: "/d/y?sig=hunter2"},
		{Fault: rangetest.Reset},
	} {
		f.srv.ClearRules()
		f.srv.Add(rule)
		_, err := f.c.FetchControl(shortly(t, 5*time.Second), &u, Validators{}, 0)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("FetchControl: %v", err)
		}
		err = f.fetch(shortly(t, time.Second), f.c.NewSource(ctl, nil), f.all())
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Fetch: %v", err)
		}
	}
	for _, w := range f.warned {
		if strings.Contains(w, "hunter2") {
			t.Error(w)
		}
	}
}

func TestRedirects(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	f.srv.Put("/final", f.target)
	hops := []string{"/d/t.dat", "/1", "/2", "/3", "/4", "/final?sig=old"}
	for i, from := range hops[:5] {
		f.srv.Add(rangetest.Rule{Path: from, Fault: rangetest.Redirect, Status: []int{301, 302, 303, 307, 308}[i], Text: hops[i+1]})
	}
	s := f.source()
	for range 3 {
		if err := f.fetch(context.Background(), s, format.BlockRange{Start: 7, End: 9}); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := f.srv.Count("/1"), f.srv.Count("/final"); a != 1 || b != 3 {
		t.Errorf("%d requests on the way, %d at the end; want 1 and 3", a, b)
	}
	for _, code := range []int{400, 401, 403, 410} {
		f.srv.Add(rangetest.Rule{Path: "/final", Fault: rangetest.Status, Status: code, Times: 1})
		if err := f.fetch(context.Background(), s, format.BlockRange{Start: 7, End: 9}); err != nil {
			t.Fatalf("%d at a remembered URL: %v", code, err)
		}
	}
	f.srv.Add(rangetest.Rule{Path: "/final", Fault: rangetest.Status, Status: 403})
	f.srv.ResetLog()
	wantSourceError(t, f.fetch(context.Background(), s, format.BlockRange{Start: 7, End: 9}), "403")
	if n := f.srv.Count("/final"); n != 2 {
		t.Errorf("asked %d times, want once more than before", n)
	}
}

func TestTLS(t *testing.T) {
	plain := startServer(t)
	files := rangetest.New()
	files.Put("/x", []byte("hello"))
	files.Add(rangetest.Rule{Path: "/down", Fault: rangetest.Redirect, Text: plain.URL("/x")})
	srv := httptest.NewUnstartedServer(files)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	u := mustURL(srv.URL + "/x")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	origins := []*url.URL{u, mustURL(plain.URL("/"))}
	get := func(o Options, u *url.URL) (*answer, error) {
		c := newClient(t, o)
		a, err := c.get(context.Background(), ask{url: u})
		if err == nil {
			a.body.done()
		}
		return a, err
	}
	if _, err := get(Options{Origins: origins}, u); err == nil || temporary(err) {
		t.Errorf("unknown authority: %v", err)
	}
	for _, o := range []Options{{CACert: ca}, {Insecure: true}} {
		o.Origins = origins
		if _, err := get(o, u); err != nil {
			t.Error(err)
		}
		if _, err := get(o, mustURL(srv.URL+"/down")); err == nil || !strings.Contains(err.Error(), "from https to http") {
			t.Errorf("https to http: %v", err)
		}
	}
	if plain.Count("") != 0 {
		t.Error("the plain server was contacted")
	}
}
