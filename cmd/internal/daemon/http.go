package daemon

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/netutil"

	"github.com/zsyncfs/zsyncfs/blockstore"
)

// tokenName is the file in the store's folder that has the token of the page's actions.
const tokenName = "http-token"

// TokenPath is the file of the token of the store in dir.
func TokenPath(dir string) string { return filepath.Join(dir, tokenName) }

// pageConns is how many connections the page has at most: others who connect and say
// nothing leave descriptors for the mounts.
const pageConns = 64

// page is the server of the status page and of metrics. Safe for concurrent use.
type page struct {
	mu       sync.Mutex
	address  string       // as it was asked for; guarded by mu, like the rest; "" for none
	server   *http.Server // nil: none
	listener net.Listener
	serving  sync.WaitGroup
}

// Listen serves the page on address, HOST:PORT, in place of where it was served; "" ends
// it. Errors: those of listening; then it is served where it was.
func (d *Daemon) Listen(address string) error {
	p := &d.page
	p.mu.Lock()
	defer p.mu.Unlock()
	if address == p.address || d.options.Page == nil {
		return nil
	}
	if address == "" {
		p.shut()
		return nil
	}
	token, err := readToken(d.options.Store)
	if err != nil {
		return fmt.Errorf("token of the page: %w", err)
	}
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) && p.server != nil { // by this page, perhaps
		old := p.address
		p.shut()
		if l, err = net.Listen("tcp", address); err != nil {
			if back, berr := net.Listen("tcp", old); berr == nil {
				d.serve(back, old, token)
			}
		}
	}
	if err != nil {
		return err
	}
	p.shut()
	d.serve(l, address, token)
	return nil
}

// serve serves the page on l, which listens on address. d.page.mu is held.
func (d *Daemon) serve(l net.Listener, address, token string) {
	p := &d.page
	p.address, p.listener = address, l
	p.server = &http.Server{
		Handler:           d.options.Page(d, l.Addr().String(), token),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	server := p.server
	bounded := netutil.LimitListener(l, pageConns)
	p.serving.Go(func() { server.Serve(bounded) })
	d.options.Log.Info("status page", "url", "http://"+l.Addr().String()+"/")
}

// shut ends the server. p.mu is held.
func (p *page) shut() {
	if p.server != nil {
		p.server.Close()
		p.serving.Wait()
	}
	p.server, p.listener, p.address = nil, nil, ""
}

// close is shut for who does not hold p.mu.
func (p *page) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut()
}

// url is where the page is; "" when it is nowhere.
func (p *page) url() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		return ""
	}
	return "http://" + p.listener.Addr().String() + "/"
}

// tokenLength is that of a token at least, and tokenLimit at most, in bytes.
const (
	tokenLength = 20
	tokenLimit  = 4 << 10
)

// readToken is the token of the store in dir, which is made when there is none.
func readToken(dir string) (string, error) {
	path := TokenPath(dir)
	text, err := blockstore.ReadFile(path, tokenLimit)
	switch {
	case err == nil && len(strings.TrimSpace(string(text))) >= tokenLength:
		return strings.TrimSpace(string(text)), nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	token := rand.Text()
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	f, err := os.OpenFile(next, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(token + "\n")
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		os.Remove(next)
		return "", err
	}
	return token, nil
}
