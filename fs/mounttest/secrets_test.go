package mounttest

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
)

// What must not be seen anywhere. Each is only in one place of a command line.
const (
	password  = "PASSWORD-f2a9"
	token     = "TOKEN-81c3"
	signature = "SIGNATURE-5e77" // in the query of the source's URL
	hopSecret = "HOP-9d40"       // in the query of a redirect
)

var secrets = []string{password, token, signature, hopSecret, "UEFTU1dPUkQtZjJhO"} // the last is base64 of the first

// login is a way to tell a source who asks.
type login struct {
	name  string
	https bool
	// source is the URL to mount, flags what is given beside.
	source func(u *url.URL)
	flags  func(t *testing.T) []string
	// right says whether a request has it.
	right func(r *http.Request) bool
}

func basicRight(r *http.Request) bool {
	user, pass, _ := r.BasicAuth()
	return user == "bob" && pass == password
}

func noFlags(*testing.T) []string { return nil }

var logins = []login{
	{"URL", false, func(u *url.URL) { u.User = url.UserPassword("bob", password) }, noFlags, basicRight},
	{"user", true, func(*url.URL) {}, func(*testing.T) []string { return []string{"--user", "bob:" + password} }, basicRight},
	{"netrc", false, func(*url.URL) {}, func(t *testing.T) []string {
		path := filepath.Join(t.TempDir(), "netrc")
		must(t, os.WriteFile(path, []byte("machine localhost login bob password "+password+"\n"), 0o600))
		return []string{"--netrc=" + path}
	}, basicRight},
	{"bearer", false, func(*url.URL) {}, func(*testing.T) []string {
		return []string{"--header=Authorization: Bearer " + token}
	}, func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+token }},
	{"header", false, func(*url.URL) {}, func(*testing.T) []string { return []string{"--header", "X-Token: " + token} },
		func(r *http.Request) bool { return r.Header.Get("X-Token") == token }},
	{"query", false, func(u *url.URL) { u.RawQuery = "sig=" + signature }, noFlags, func(r *http.Request) bool {
		// What a listing leads to has no query of its own.
		return strings.Contains(r.URL.RawQuery, signature) || !strings.HasSuffix(r.URL.Path, "/")
	}},
	{"certificate", true, func(*url.URL) {}, func(t *testing.T) []string {
		dir := t.TempDir()
		cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		must(t, fixture.Certificate(cert, key))
		return []string{"--cert", cert, "--key", key}
	}, func(r *http.Request) bool { return len(r.TLS.PeerCertificates) == 1 }},
}

// site is a web server that notes all requests.
type site struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request // guarded by mu
}

func newSite(t *testing.T, https bool, handler http.Handler) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = log.New(newOutput(), "", 0)
	if https {
		s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// at is the site's URL by this name of the loopback address.
func (s *site) at(host, path string) *url.URL {
	u, _ := url.Parse(s.URL + path)
	u.Host = host + ":" + u.Port()
	return u
}

func (s *site) seen() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Artifacts of a source behind a login: where it leads a client to.
const (
	plainFile  = "plain.img"    // it has the target itself
	listedFile = "listed.img"   // by URL and Z-URL to another
	zippedFile = "zipped.img"   // by Z-URL to another, who has it not
	movedFile  = "moved.img"    // by redirect to another, with a signature
	mirrorFile = "mirrored.img" // only the mirror has it
	downFile   = "down.img"     // from https to http
)

// guarded is a source behind a login, and whom it leads to.
type guarded struct {
	dir                         string
	source, other, mirror, bare *site
}

func newGuarded(t *testing.T, l login) *guarded {
	t.Helper()
	g := &guarded{dir: folder(t)}
	files := http.FileServer(http.Dir(g.dir))
	g.other = newSite(t, l.https, files)
	g.mirror = newSite(t, l.https, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/"+mirrorFile {
			http.NotFound(w, r)
			return
		}
		files.ServeHTTP(w, r)
	}))
	g.bare = newSite(t, false, files)
	g.source = newSite(t, l.https, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch strings.TrimPrefix(r.URL.Path, "/") {
		case movedFile, movedFile + ".zsync":
			http.Redirect(w, r, g.other.at("127.0.0.1", r.URL.Path).String()+"?sig="+hopSecret, http.StatusFound)
		case downFile:
			http.Redirect(w, r, g.bare.at("127.0.0.1", "/"+downFile).String(), http.StatusFound)
		case mirrorFile, listedFile, zippedFile:
			http.NotFound(w, r)
		default:
			if !l.right(r) {
				w.Header().Set("WWW-Authenticate", "Basic")
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			files.ServeHTTP(w, r)
		}
	}))
	for i, name := range []string{plainFile, listedFile, zippedFile, movedFile, mirrorFile, downFile} {
		publishIn(t, g.dir, name, fixture.Random(50_000+i, uint64(i+70)))
	}
	for name, header := range map[string]string{listedFile: "URL", zippedFile: "Z-URL"} {
		path := filepath.Join(g.dir, name+".zsync")
		c, err := fixture.ReadControl(path)
		must(t, err)
		c.Remove("URL")
		c.Set(header, g.other.at("127.0.0.1", "/"+name).String())
		must(t, c.Write(path))
	}
	return g
}

// TestSecuritySecrets logs in to a source in every way. It gets what it wants; the hosts
// that it leads to, and mirrors, do not; and it is seen nowhere on this machine.
func TestSecuritySecrets(t *testing.T) {
	t.Parallel()
	needMount(t)
	tests := map[string]func(*testing.T){}
	for _, l := range logins {
		tests[l.name] = l.test
	}
	sideBySide(t, tests)
}

func (l login) test(t *testing.T) {
	g := newGuarded(t, l)
	// A name of its own, which netrc can tell from that of the others.
	source := g.source.at("localhost", "/")
	l.source(source)
	flags := append(l.flags(t), "--allow-private", "--insecure", "--verbose", "--pprof", "--read-deadline=5s",
		"--refresh=1s", "--mirror", g.mirror.at("127.0.0.1", "/").String())
	m := mount(t, source.String(), flags...)
	want := []string{plainFile, listedFile, movedFile, mirrorFile}
	if !l.https {
		want = append(want, downFile)
	}
	for _, name := range want {
		if err := readcheck.Whole(pairOf(m, g.dir, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if l.https {
		g.notDown(t, m)
	}
	_, _ = os.ReadFile(m.Path(zippedFile))
	g.keptToItself(t)
	notShown(t, m)
	sameStoreNoLogin(t, m, g, l)
	m.Unmount()
	notStored(t, m)
	foreground(t, m)
}

// notDown: a file that only http has is not read from there.
func (g *guarded) notDown(t *testing.T, m *daemon.Mount) {
	t.Helper()
	if got, err := os.ReadFile(m.Path(downFile)); !isErrno(err, unix.EIO) {
		t.Errorf("a redirect from https to http: %d bytes, %v", len(got), err)
	}
	if n := len(g.bare.seen()); n != 0 {
		t.Errorf("%d requests went from https to http", n)
	}
	if !strings.Contains(m.Log(), "redirect from https to http") {
		t.Error("the log does not say so")
	}
}

// keptToItself: the others were asked, and were told nothing.
func (g *guarded) keptToItself(t *testing.T) {
	t.Helper()
	for name, s := range map[string]*site{"the host of URLs and redirects": g.other, "the mirror": g.mirror, "http": g.bare} {
		seen := s.seen()
		asked := map[string]bool{}
		for _, r := range seen {
			asked[r.URL.Path[1:]] = true
			text := fmt.Sprint(r.Header, strings.ReplaceAll(r.RequestURI, hopSecret, ""))
			if hasSecret(text) || r.Header.Get("Authorization")+r.Header.Get("Referer")+r.Header.Get("Cookie") != "" {
				t.Errorf("%s was told %s", name, text)
			}
			if r.TLS != nil && len(r.TLS.PeerCertificates) != 0 {
				t.Errorf("%s was shown the client certificate", name)
			}
		}
		if s == g.other && !(asked[listedFile] && asked[zippedFile] && asked[movedFile]) || s == g.mirror && !asked[mirrorFile] {
			t.Errorf("%s was only asked for %v", name, asked)
		}
	}
}

func hasSecret(text string) bool {
	return slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(text, s) })
}

// notShown looks at all that tells of a mount.
func notShown(t *testing.T, m *daemon.Mount) {
	t.Helper()
	said := map[string]string{"the log": m.Log()}
	pid := m.PID()
	for _, name := range []string{"cmdline", "environ", "mountinfo"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		must(t, err)
		said[name] = string(text)
	}
	said["a command"] = commandsSay(t, m)
	for _, name := range []string{plainFile, movedFile} {
		for _, attribute := range attributes(t, m.Path(name)) {
			value, err := xattr(m.Path(name), attribute)
			must(t, err)
			said[attribute] += value
		}
	}
	client := socketClient(m)
	for _, page := range []string{"cmdline", "goroutine?debug=2", "heap?debug=1"} {
		said["profile "+page] = fetch(t, client, "http://x/debug/pprof/"+page)
	}
	for where, text := range said {
		if text == "" || hasSecret(text) {
			t.Errorf("%s shows a secret, or nothing:\n%s", where, text)
		}
	}
}

// commandsSay is what commands print about m, and why some fail. They run side by side:
// a program with the race detector takes a second to end.
func commandsSay(t *testing.T, m *daemon.Mount) string {
	t.Helper()
	commands := [][]string{{"status"}, {"status", "--json"}, {"cache", "ls"}, {"cache", "ls", "--json"}}
	for i := range commands {
		commands[i] = append(commands[i], "--cache-dir", m.CacheDir)
	}
	for _, nothing := range []string{"/nothing/", "/x.zsync"} {
		wrong := m.Args()
		u, err := url.Parse(wrong[len(wrong)-2])
		must(t, err)
		u.Path = nothing
		wrong[len(wrong)-2], wrong[len(wrong)-1] = u.String(), t.TempDir()
		commands = append(commands, wrong)
	}
	results := make([]daemon.Result, len(commands))
	var running sync.WaitGroup
	for i, args := range commands {
		running.Go(func() { results[i] = daemon.Command(t, m.Command(args...)) })
	}
	running.Wait()
	var all strings.Builder
	for i, r := range results {
		if wrong := commands[i][0] == "mount"; wrong != (r.Code != 0) || wrong && !strings.Contains(r.Errors, "404") || r.Output+r.Errors == "" {
			t.Errorf("%v: %v", commands[i], r)
		}
		fmt.Fprintln(&all, r.Output, r.Errors)
	}
	return all.String()
}

// notStored looks into all files of the store.
func notStored(t *testing.T, m *daemon.Mount) {
	t.Helper()
	files := 0
	must(t, filepath.WalkDir(m.CacheDir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		files++
		for _, s := range secrets {
			if bytes.Contains(data, []byte(s)) {
				t.Errorf("%s has %s", path, s)
			}
		}
		return err
	}))
	if files < 5 {
		t.Errorf("%d files in the store", files)
	}
}

// sameStoreNoLogin mounts the same source, in the same store and daemon, as somebody
// whom it tells nothing: he does not see what it told the other.
func sameStoreNoLogin(t *testing.T, m *daemon.Mount, g *guarded, l login) {
	t.Helper()
	o := daemon.Options{Binary: binary(t), Source: g.source.at("localhost", "/").String(), CacheDir: m.CacheDir,
		Flags: []string{"--insecure", "--read-deadline=3s"}}
	second := daemon.New(t, o)
	if r := second.Try(); r.Code == 0 || !strings.Contains(r.Errors, "401") {
		t.Errorf("without a login: %v", r)
	}
	if l.name == "query" {
		return // what a listing leads to needs none there
	}
	o.Source = g.source.at("localhost", "/"+plainFile+".zsync").String()
	if r := daemon.New(t, o).Try(); r.Code == 0 || !strings.Contains(r.Errors, "401") {
		t.Errorf("one file without a login: %v", r)
	}
}

// foreground: a daemon that is the command itself does not show its arguments.
func foreground(t *testing.T, m *daemon.Mount) {
	t.Helper()
	cmd, out := startForeground(t, m)
	seen, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid))
	if err != nil || !bytes.Contains(seen, []byte(m.Dir)) || hasSecret(string(seen)) {
		t.Errorf("the list of processes shows %q, %v", seen, err)
	}
	must(t, cmd.Process.Signal(unix.SIGTERM))
	_ = within(t, "mount -f", cmd.Wait)
	if hasSecret(out.String()) {
		t.Errorf("its messages show a secret: %s", out)
	}
}

// socketClient talks to the daemon of m over its socket.
func socketClient(m *daemon.Mount) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(m.CacheDir, "socket"))
		},
	}}
}

// fetch is the page at a URL.
func fetch(t *testing.T, client *http.Client, page string) string {
	t.Helper()
	reply, err := client.Get(page)
	must(t, err)
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Errorf("%s: %s, %v", page, reply.Status, err)
	}
	return string(text)
}

// attributes are the names of a file's extended attributes.
func attributes(t *testing.T, path string) []string {
	t.Helper()
	buf := make([]byte, 4096)
	n, err := unix.Listxattr(path, buf)
	must(t, err)
	names := strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00")
	if n == 0 || len(names) < 5 {
		t.Errorf("%s has the attributes %q", path, names)
	}
	return names
}
