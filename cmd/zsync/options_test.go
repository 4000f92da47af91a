package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// basic is the header that a login makes.
func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// locked serves s to one login only.
func locked(t *testing.T, s *site, user, password string) *httptest.Server {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			s.ServeHTTP(httptest.NewRecorder(), r) // for the log
			return
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	return web
}

// A login goes to the host that -A names, in each of its forms, and to no other.
func TestAuth(t *testing.T) {
	s := newSite(t, noise(20_000, 1))
	web := locked(t, s, "me", "se:cret=1")
	u := web.URL + "/t.dat.zsync"
	port := web.URL[strings.LastIndexByte(web.URL, ':')+1:]
	for _, host := range []string{"127.0.0.1", "127.0.0.1:" + port, "http://127.0.0.1:" + port, "HTTP://127.0.0.1"} {
		dir := folder(t)
		zsyncIn(t, dir, "-A", host+"=me:se:cret=1", u).wants(t, 0)
		s.made(filepath.Join(dir, "t.dat"))
	}
	s.ResetLog()
	for _, host := range []string{"localhost", "127.0.0.1:1", "https://127.0.0.1:" + port, "https://127.0.0.1", "example.com"} {
		dir := folder(t)
		r := zsyncIn(t, dir, "-A", host+"=me:se:cret=1", u).wants(t, 3, "401 Unauthorized", "hint: -A HOST=USER:PASSWORD is a login")
		if strings.Contains(r.String(), "cret") {
			t.Errorf("the password is printed: %v", r)
		}
		wantListed(t, dir)
	}
	if got := s.headers("Authorization"); len(got) != 0 {
		t.Errorf("sent where it does not belong: %q", got)
	}
}

// A login that only the target asks for is hinted at, too.
func TestAuthOfTarget(t *testing.T) {
	s := newSite(t, noise(20_000, 12))
	s.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.Status, Status: 401})
	dir := folder(t)
	zsyncIn(t, dir, s.url()).wants(t, 2, "20000 bytes could not be fetched", "401 Unauthorized", "hint: -A HOST=USER:PASSWORD is a login")
	wantListed(t, dir)
}

// Neither a redirect nor a URL line leads a login to another origin.
func TestAuthStaysHome(t *testing.T) {
	s := newSite(t, noise(20_000, 2))
	other := newSite(t, s.target)
	web := locked(t, s, "me", "pw")
	host := strings.TrimPrefix(web.URL, "http://")
	otherHost := strings.TrimPrefix(other.URL(""), "http://")
	for name, lead := range map[string]func(){
		"redirect": func() { s.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.Redirect, Text: other.URL("/t.dat")}) },
		"URL line": func() {
			s.publish(s.target, func(o *format.BuilderOptions) { o.URLs = []string{other.URL("/t.dat")} })
		},
	} {
		s.ClearRules()
		s.publish(s.target)
		lead()
		other.ResetLog()
		dir := folder(t)
		// The other one is private and nobody named it: it is not asked.
		r := zsyncIn(t, dir, "-A", host+"=me:pw", web.URL+"/t.dat.zsync")
		if n := other.Count(""); n != 0 {
			t.Errorf("%s: %d requests to an address that nobody allowed", name, n)
		}
		if name == "redirect" {
			r.wants(t, 2, "hint: --allow-private")
			wantListed(t, dir)
		}
		dir = folder(t)
		zsyncIn(t, dir, "--allow-private", "--header", "X-Mine: 1", "-A", host+"=me:pw", web.URL+"/t.dat.zsync").wants(t, 0)
		s.made(filepath.Join(dir, "t.dat"))
		if other.Count("") == 0 {
			t.Errorf("%s: the other server was not asked", name)
		}
		if got := append(other.headers("Authorization"), other.headers("X-Mine")...); len(got) != 0 {
			t.Errorf("%s: sent to the other server: %q", name, got)
		}
		// With -A for it, it gets its own.
		dir = folder(t)
		zsyncIn(t, dir, "-A", host+"=me:pw", "-A", otherHost+"=you:too", web.URL+"/t.dat.zsync").wants(t, 0)
		if got := other.headers("Authorization"); !slices.Contains(got, basic("you", "too")) || slices.Contains(got, basic("me", "pw")) {
			t.Errorf("%s: the other server got %q", name, got)
		}
	}
}

func TestNetrc(t *testing.T) {
	s := newSite(t, noise(20_000, 3))
	u := locked(t, s, "me", "pw").URL + "/t.dat.zsync"
	dir := folder(t)
	login := []byte("machine 127.0.0.1 login me password pw\n")
	write(t, filepath.Join(dir, "logins"), login)
	cmd := ours(t, dir, u)
	cmd.Env = append(cmd.Env, "NETRC="+filepath.Join(dir, "logins"))
	finish(t, cmd).wants(t, 0)
	must(t, os.Remove(filepath.Join(dir, "t.dat")))
	zsyncIn(t, dir, "--netrc", "logins", u).wants(t, 0)
	zsyncIn(t, dir, "-o", "x", u).wants(t, 3)
	write(t, filepath.Join(dir, ".netrc"), login) // HOME is dir
	zsyncIn(t, dir, "-o", "x", u).wants(t, 0)
	s.made(filepath.Join(dir, "x"))
}

// -k keeps the control file and fetches it again only if it changed.
func TestKeep(t *testing.T) {
	s := newSite(t, noise(50_000, 4))
	dir := folder(t)
	kept := filepath.Join(dir, "kept.zsync")
	last := func() rangetest.Request {
		s.Wait()
		for _, r := range slices.Backward(s.Log()) {
			if r.Path == "/t.dat.zsync" {
				return r
			}
		}
		return rangetest.Request{}
	}
	run := func() {
		t.Helper()
		zsyncIn(t, dir, "-k", "kept.zsync", s.url()).wants(t, 0)
		s.made(filepath.Join(dir, "t.dat"))
	}
	run()
	first := control(t, s.target)
	if !bytes.Equal(read(t, kept), first) || last().Status != 200 {
		t.Error("the control file was not kept as it is")
	}
	info, err := os.Stat(kept)
	must(t, err)
	run()
	if r := last(); r.Status != 304 || r.Header.Get("If-Modified-Since") != info.ModTime().UTC().Format(http.TimeFormat) {
		t.Errorf("%+v", r)
	}
	// What is broken is fetched again whatever the server says.
	must(t, os.Truncate(kept, 200))
	must(t, os.Chtimes(kept, info.ModTime(), info.ModTime()))
	run()
	if !bytes.Equal(read(t, kept), first) || last().Status != 200 {
		t.Errorf("a broken one was not replaced: %+v", last())
	}
	// A newer one on the server.
	s.publish(noise(60_000, 5))
	s.SetValidators("/t.dat.zsync", `"new"`, time.Now())
	run()
	if !bytes.Equal(read(t, kept), control(t, s.target)) {
		t.Error("the newer control file was not kept")
	}
	// Another one in the same second, as far as the server can tell.
	young := time.Now().Add(time.Hour) // however long the runs take
	for seed := range byte(2) {
		s.publish(noise(60_000, 6+seed))
		s.SetValidators("/t.dat.zsync", `"new"`, young)
		run()
		if !bytes.Equal(read(t, kept), control(t, s.target)) {
			t.Errorf("control file %d of one second was not kept", seed)
		}
	}
	// One whose age is unknown is fetched.
	s.SetValidators("/t.dat.zsync", "", time.Time{})
	run()
	run()
	if r := last(); r.Status != 200 {
		t.Errorf("%+v", r)
	}
	wantListed(t, dir, "kept.zsync", "t.dat", "t.dat.zs-old")
}

// A certificate that nobody signed is refused, unless it is trusted or not checked.
func TestCertificates(t *testing.T) {
	s := newSite(t, noise(20_000, 6))
	web := httptest.NewTLSServer(s)
	defer web.Close()
	u := web.URL + "/t.dat.zsync"
	dir := folder(t)
	write(t, filepath.Join(dir, "ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}))
	zsyncIn(t, dir, u).wants(t, 3, "certificate", "hint: --cacert")
	wantListed(t, dir, "ca.pem")
	for i, args := range [][]string{{"--cacert", "ca.pem"}, {"-I"}, {"--insecure"}, {"--no-check-certificate"}} {
		name := fmt.Sprintf("made-%d", i)
		zsyncIn(t, dir, append(args, "-o", name, u)...).wants(t, 0)
		s.made(filepath.Join(dir, name))
	}
}

// The proxy of the environment is used, and left out for what NO_PROXY names.
func TestProxy(t *testing.T) {
	s := newSite(t, noise(20_000, 7))
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(w, r) // whatever the host: a name that only the proxy knows
	}))
	defer proxy.Close()
	dir := folder(t)
	cmd := ours(t, dir, "http://archive.invalid/t.dat.zsync")
	cmd.Env = append(cmd.Env, "http_proxy="+proxy.URL)
	finish(t, cmd).wants(t, 0)
	s.made(filepath.Join(dir, "t.dat"))
	cmd = ours(t, dir, "-o", "other", "http://archive.invalid/t.dat.zsync")
	cmd.Env = append(cmd.Env, "http_proxy="+proxy.URL, "NO_PROXY=archive.invalid")
	finish(t, cmd).wants(t, 3, "archive.invalid", "hint: check the spelling of the host")
	wantListed(t, dir, "t.dat")
}

// Mirrors are asked when the URLs of the control file are of no use.
func TestMirror(t *testing.T) {
	s := newSite(t, noise(50_000, 8))
	mirror := newSite(t, s.target)
	s.Remove("/t.dat")
	for i, m := range []string{mirror.URL("/t.dat"), mirror.URL("/")} {
		dir := folder(t)
		zsyncIn(t, dir, "--mirror", m, s.url()).wants(t, 0)
		s.made(filepath.Join(dir, "t.dat"))
		if mirror.Bytes("/t.dat") != int64(i+1)*50_000 {
			t.Errorf("%s: %d bytes from the mirror", m, mirror.Bytes("/t.dat"))
		}
	}
}

// -u says what the URLs of a local control file are relative to.
func TestLocalControlFile(t *testing.T) {
	s := newSite(t, noise(50_000, 9))
	dir := folder(t)
	write(t, filepath.Join(dir, "t.dat.zsync"), control(t, s.target))
	for _, from := range []string{s.URL("/"), s.url(), s.URL("/anything")} {
		zsyncIn(t, dir, "--force-update", "-u", from, "t.dat.zsync").wants(t, 0)
		s.made(filepath.Join(dir, "t.dat"))
	}
}

// Each line of --progress=json is an object, and nothing else is on standard output.
func TestJSON(t *testing.T) {
	s := newSite(t, noise(500_000, 10))
	dir := folder(t)
	write(t, filepath.Join(dir, "t.dat"), s.target[:300_000])
	r := zsyncIn(t, dir, "--progress=json", s.url()).wants(t, 0)
	var steps []string
	for line := range strings.Lines(r.stdout) {
		var object struct {
			Step                         string
			Known, Length, Done, Total   int64
			Local, Fetched               int64
			Verified, Up_to_date         bool
			Old                          string
			Bytes_per_second, ETASeconds float64
		}
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if n := len(steps); n == 0 || steps[n-1] != object.Step {
			steps = append(steps, object.Step)
		}
		if object.Step == "done" {
			if object.Local+object.Fetched != 500_000 || !object.Verified || object.Old != "t.dat.zs-old" {
				t.Errorf("%s", line)
			}
		} else if object.Length != 500_000 || object.Done > object.Total {
			t.Errorf("%s", line)
		}
	}
	if got := strings.Join(steps, " "); got != "scanning fetching verifying done" || r.stderr != "" {
		t.Errorf("%s: %v", got, r)
	}
}

// Nothing that a stranger wrote reaches the terminal as control characters.
func TestControlCharacters(t *testing.T) {
	s := newSite(t, noise(5_000, 11), func(o *format.BuilderOptions) { o.URLs = []string{"\u009b2Jx"} })
	s.Add(rangetest.Rule{Path: "/t.dat", Fault: rangetest.Redirect, Text: "http://127.0.0.1:1/\u009b2J"})
	dir := folder(t)
	r := zsyncIn(t, dir, s.url())
	if r.code != 2 || strings.ContainsAny(r.String(), "\r\x1b\u009b") {
		t.Errorf("%q", r.String())
	}
}
