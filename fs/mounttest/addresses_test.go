package mounttest

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/outage"
)

// publicAddress is one that a control file may lead to. It is only in a namespace.
const publicAddress = "8.8.8.8"

// forbiddenHosts are where nobody but the user may lead a mount: addresses, and ways to
// write them.
var forbiddenHosts = []string{
	"127.0.0.1", "127.0.0.2", "localhost", "localhost.", "a.localhost", "0.0.0.0", "[::]", "[::1]",
	"10.66.0.1", "172.16.66.1", "192.168.66.1", "169.254.169.254", "100.64.0.1",
	"[fd00:ec2::254]", "[fe80::66%25lo]", "[::ffff:10.66.0.1]", "[::ffff:127.0.0.1]", "[64:ff9b::a42:1]",
	"2130706433", "0x7f.1", "127.1", "0177.0.0.1",
}

// neighbours are the forbidden addresses that the namespace has beside loopback, so that
// a connection to one of them would be made.
var neighbours = []string{
	"10.66.0.1/32", "172.16.66.1/32", "192.168.66.1/32", "169.254.169.254/32", "100.64.0.1/32",
	"fd00:ec2::254/128", "fe80::66/64", "64:ff9b::a42:1/128", publicAddress + "/32",
}

// trap is a server at all addresses of a namespace, which notes where it was called.
type trap struct {
	port   string
	target []byte
	mu     sync.Mutex
	calls  []string // "ADDRESS /path"; guarded by mu
}

func setTrap(t *testing.T, in *outage.Namespace, target []byte) *trap {
	t.Helper()
	l := in.Listen(":0")
	_, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	p := &trap{port: port, target: target}
	s := &http.Server{Handler: p, ConnState: func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			p.note(c.LocalAddr(), "")
		}
	}}
	s.SetKeepAlivesEnabled(false) // each request dials, and so asks for the address again
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return p
}

func (p *trap) note(at net.Addr, what string) {
	a, _ := netip.ParseAddrPort(at.String())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, a.Addr().Unmap().String()+what)
}

func (p *trap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.note(r.Context().Value(http.LocalAddrContextKey).(net.Addr), " "+r.RequestURI)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.target))
}

// called are the calls since the last time.
func (p *trap) called() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.calls
	p.calls = nil
	return out
}

// ledAway makes artifacts whose control files or redirects lead to hosts of the trap.
type ledAway struct {
	t    *testing.T
	dir  string
	trap *trap
}

// publish makes NAME whose control file leads to host by this header: its URL, or that
// of a gzip copy; "" for none.
func (l *ledAway) publish(name, header, host string) {
	l.t.Helper()
	c, err := fixture.ReadControl(filepath.Join(l.dir, "..", "made.zsync"))
	must(l.t, err)
	c.Remove("URL")
	c.Set("Filename", name)
	if header != "" {
		c.Set(header, "http://"+host+":"+l.trap.port+"/"+name)
	}
	must(l.t, c.Write(filepath.Join(l.dir, name+".zsync")))
}

// TestSecurityAddresses: control files and redirects lead to addresses of this machine
// and its neighbours, written in all ways, by names, by names that change, with a proxy
// in the environment; nobody is called there. A public address is.
func TestSecurityAddresses(t *testing.T) {
	t.Parallel()
	needRoot(t)
	needMount(t)
	in := outage.New(t, "127.0.0.1")
	names := outage.ServeNames(t, in)
	for _, a := range neighbours {
		in.Run("ip", "address", "add", a, "dev", "lo", "nodad")
	}
	target := fixture.Random(4<<20, 66)
	root := folder(t)
	l := &ledAway{t: t, dir: filepath.Join(root, "d"), trap: setTrap(t, in, target)}
	must(t, os.Mkdir(l.dir, 0o755))
	must(t, os.WriteFile(filepath.Join(root, "made"), target, 0o644))
	must(t, fixture.Make(binary(t), filepath.Join(root, "made")))

	l.publish("public.img", "URL", publicAddress)
	names.Answer("public.example", publicAddress)
	l.publish("named.img", "URL", "public.example")
	good := []string{"public.img", "named.img"}

	var bad []string
	add := func(name, header, host string) {
		l.publish(name, header, host)
		bad = append(bad, name)
	}
	redirects := map[string]string{}
	for i, host := range forbiddenHosts {
		add(fmt.Sprintf("url-%d.img", i), "URL", host)
		// Redirects are of the target, beside its control file.
		name := fmt.Sprintf("redirect-%d.img", i)
		add(name, "", "")
		redirects["/"+name] = "http://" + host + ":" + l.trap.port + "/" + name
	}
	add("gzip.img", "Z-URL", "10.66.0.1")
	for i, a := range neighbours[:len(neighbours)-1] {
		name := fmt.Sprintf("inside-%d.example", i)
		names.Answer(name, netip.MustParsePrefix(a).Addr().String())
		add(name+".img", "URL", name)
	}
	names.Answer("loopback.example", "127.0.0.1")
	add("loopback.example.img", "URL", "loopback.example")
	names.Answer("turns.example", publicAddress, "10.66.0.1")
	l.publish("turns.img", "URL", "turns.example")

	source := http.NewServeMux()
	for from, to := range redirects {
		source.Handle(from, http.RedirectHandler(to, http.StatusFound))
	}
	source.Handle("/", http.FileServer(http.Dir(l.dir)))
	listener := in.Listen("127.0.0.1:0")
	server := &http.Server{Handler: source}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })

	for _, proxied := range []bool{false, true} {
		t.Run(fmt.Sprintf("proxy %v", proxied), func(t *testing.T) {
			var environment []string
			if proxied {
				// It would go wherever it is told, and so to the trap.
				environment = []string{"http_proxy=http://" + publicAddress + ":" + l.trap.port, "no_proxy="}
			}
			m := daemon.New(t, daemon.Options{
				Binary: binary(t), Source: "http://" + listener.Addr().String() + "/", Wrap: in.Wrap(), Environment: environment,
				Flags: []string{"--read-deadline=2s", "--refresh=1h"},
			})
			if r := m.Try(); r.Code != 0 {
				t.Fatal(r)
			}
			path := func(name string) string { return in.Root() + m.Path(name) }
			for _, name := range good {
				if got, err := os.ReadFile(path(name)); err != nil || !bytes.Equal(got, target) {
					t.Errorf("%s: %d bytes, %v", name, len(got), err)
				}
			}
			if calls := l.trap.called(); len(calls) == 0 {
				t.Error("the trap is not reached by the public address")
			}
			if !proxied {
				turning(t, path("turns.img"), names, l.trap)
			}
			l.nobodyCalled(t, m, path, bad, proxied)
			daemon.Command(t, m.Command("umount", m.Dir))
		})
	}
}

// turning reads a file whose host has another address from the second question on.
func turning(t *testing.T, path string, names *outage.Names, trap *trap) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	b := make([]byte, 4096)
	if _, err := unix.Pread(int(f.Fd()), b, 0); err != nil && !isErrno(err, unix.EIO) {
		t.Error(err)
	}
	_, _ = unix.Pread(int(f.Fd()), b, 3<<20)
	if n := names.Asked("turns.example"); n < 2 {
		t.Errorf("its address was asked for %d times: it did not turn", n)
	}
	for _, call := range trap.called() {
		if !strings.HasPrefix(call, publicAddress) {
			t.Errorf("called at %s after the name had turned", call)
		}
	}
}

// nobodyCalled reads files that lead to forbidden places. A name is for a proxy to look
// up; addresses are not even told to it.
func (l *ledAway) nobodyCalled(t *testing.T, m *daemon.Mount, path func(string) string, bad []string, proxied bool) {
	t.Helper()
	var reading sync.WaitGroup
	limit := make(chan struct{}, 16)
	for _, name := range bad {
		if proxied && strings.Contains(name, ".example") {
			continue
		}
		reading.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			if got, err := os.ReadFile(path(name)); !isErrno(err, unix.EIO) {
				t.Errorf("%s: %d bytes, %v; want EIO", name, len(got), err)
			}
		})
	}
	reading.Wait()
	for _, call := range l.trap.called() {
		t.Errorf("somebody was called: %s", call)
	}
	log, err := os.ReadFile(filepath.Join(m.CacheDir, "daemon.log"))
	must(t, err)
	if !strings.Contains(string(log), "address in a private range that the user did not name") {
		t.Error("the log does not say why")
	}
}
