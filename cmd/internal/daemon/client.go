package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoDaemon says that no daemon answers on a store's socket.
var ErrNoDaemon = errors.New("no daemon runs for this cache directory")

// ErrForeignDaemon says that a socket is another user's, who must not learn what a
// request holds.
var ErrForeignDaemon = errors.New("the daemon of this cache directory belongs to another user")

// tellsKey marks the context of requests that may hold passwords.
type tellsKey struct{}

func telling(ctx context.Context) context.Context { return context.WithValue(ctx, tellsKey{}, true) }

// answerLimit is the longest answer of a daemon, in bytes.
const answerLimit = 256 << 20

// Client talks to the daemon of a store.
type Client struct {
	store    string
	http     *http.Client
	patience time.Duration // statusPatience
}

// NewClient is a client for the daemon that owns the store in dir, whether one
// runs or not.
func NewClient(dir string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		store, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			return nil, err
		}
		defer store.Close()
		conn, err := new(net.Dialer).DialContext(ctx, "unix", byDescriptor(store, socketName))
		if err != nil {
			return nil, err
		}
		// Root may ask everybody's daemon, but tells nobody his passwords.
		uid, err := peerUID(conn.(*net.UnixConn))
		if err != nil || uid != 0 && uid != os.Geteuid() && (os.Geteuid() != 0 || ctx.Value(tellsKey{}) != nil) {
			return nil, errors.Join(fmt.Errorf("%w: user %d", ErrForeignDaemon, uid), err, conn.Close())
		}
		return conn, nil
	}
	return &Client{store: dir, patience: statusPatience, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// statusPatience is how long a daemon takes at most to say how it is.
const statusPatience = 10 * time.Second

// ErrNoAnswer says that a daemon hangs, or was stopped.
var ErrNoAnswer = errors.New("the daemon of this cache directory does not answer")

// Status asks for a snapshot. Errors: ErrNoDaemon; ErrNoAnswer.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, ErrNoAnswer)
	defer cancel()
	var s Status
	if err := c.call(ctx, http.MethodGet, "/v1/status", nil, &s); err != nil {
		if errors.Is(context.Cause(ctx), ErrNoAnswer) {
			return nil, ErrNoAnswer
		}
		return nil, err
	}
	return &s, nil
}

// Mount asks the daemon to add a mount, and returns when it can be used.
// Errors: ErrNoDaemon; ErrNoAnswer; *Failure as the daemon told it.
func (c *Client) Mount(ctx context.Context, spec Spec) error {
	err := c.ask(telling(ctx), "/v1/mounts", spec, &struct{}{})
	var failure *Failure
	if errors.As(err, &failure) && failure.Ending {
		return ErrNoDaemon
	}
	return err
}

// Cache asks the daemon to do r with its store. Errors: ErrNoAnswer; ErrNoDaemon, also for one
// that is ending, which has the store for a moment still; ErrNoMatch and others, as
// *Failure.
func (c *Client) Cache(ctx context.Context, r CacheRequest) (*CacheAnswer, error) {
	var a CacheAnswer
	err := c.ask(ctx, "/v1/cache", r, &a)
	var failure *Failure
	switch {
	case errors.As(err, &failure) && failure.Ending:
		return nil, ErrNoDaemon
	case err != nil:
		return nil, err
	}
	return &a, nil
}

// ask is call for what may take long. Errors: as well ErrNoAnswer, of a daemon that
// meanwhile does not say how it is either.
func (c *Client) ask(ctx context.Context, path string, body, out any) error {
	ctx, stop := c.whileAwake(ctx)
	defer stop()
	return c.call(ctx, http.MethodPost, path, body, out)
}

// whileAwake is ctx, which ends with ErrNoAnswer when the daemon hangs. stop must be
// called.
func (c *Client) whileAwake(ctx context.Context) (awake context.Context, stop func()) {
	awake, cancel := context.WithCancelCause(ctx)
	go func() {
		for awake.Err() == nil {
			select {
			case <-time.After(c.patience):
			case <-awake.Done():
				return
			}
			if _, err := c.Status(awake); errors.Is(err, ErrNoAnswer) {
				cancel(ErrNoAnswer)
			}
		}
	}()
	return awake, func() { cancel(nil) }
}

func (c *Client) call(ctx context.Context, method, path string, body, out any) error {
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(io.LimitReader(resp.Body, answerLimit)).Decode(out)
}

// send asks the daemon for something. The caller closes the answer's body. Errors:
// ErrNoDaemon; *Failure as the daemon told it.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://daemon"+path, bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, noDaemon(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, failureOf(resp)
	}
	return resp, nil
}

// failureOf is the error that a daemon answered with.
func failureOf(resp *http.Response) error {
	failure := new(Failure)
	if err := json.NewDecoder(io.LimitReader(resp.Body, requestLimit)).Decode(failure); err != nil {
		return fmt.Errorf("the daemon answered %s", resp.Status)
	}
	return failure
}
