package daemon

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/zsyncfs/zsyncfs/zsyncclient/download"
	"golang.org/x/sys/unix"
)

// Get asks the daemon to bring what spec names into its store, and calls use
// with it. When ctx ends, so does the work.
//
// Errors: ErrNoDaemon, also when the daemon ends before the work is done; ErrNoAnswer;
// *Failure as the daemon told it; those of use.
func (c *Client) Get(ctx context.Context, spec GetSpec, w GetWatch, use GetUse) error {
	w = w.withDefaults()
	ctx, stop := c.whileAwake(ctx)
	defer stop()
	resp, err := c.send(telling(ctx), http.MethodPost, "/v1/get", spec)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := follow(resp.Body, w)
	var failure *Failure
	switch {
	case errors.As(err, &failure) && failure.Ending:
		return ErrNoDaemon
	case errors.As(err, &failure):
		return err
	case err != nil:
		return noDaemon(ctx, err)
	}
	return c.useAnswer(answer, use)
}

// noDaemon is what an error of talking to a daemon means.
func noDaemon(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, ErrForeignDaemon) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNoDaemon, err)
}

// follow reads lines up to the last. A line may have requestLimit bytes.
func follow(answer io.Reader, w GetWatch) (*getAnswer, error) {
	lines := bufio.NewScanner(answer)
	lines.Buffer(nil, requestLimit)
	var last atomic.Pointer[download.Progress]
	last.Store(&download.Progress{})
	w.Progress(func() download.Progress { return *last.Load() })
	for lines.Scan() {
		var line getLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, err
		}
		if line.Progress != nil {
			last.Store(line.Progress)
		}
		switch {
		case line.Step != nil:
			w.Step(*line.Step)
		case line.Warning != "":
			w.Warn(errors.New(line.Warning))
		case line.Failure != nil:
			return nil, line.Failure
		case line.Result != nil:
			return line.Result, nil
		}
	}
	return nil, cmp.Or(lines.Err(), io.ErrUnexpectedEOF)
}

func (c *Client) useAnswer(answer *getAnswer, use GetUse) error {
	if answer.Data == "" {
		return use(answer.GetResult, nil)
	}
	data, err := os.OpenInRoot(c.store, answer.Data)
	if err != nil {
		return fmt.Errorf("open what the daemon has: %w", err)
	}
	defer data.Close()
	// As long as it is locked nobody takes blocks out of it, also when the daemon
	// that answered ends and another comes.
	_ = unix.Flock(int(data.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	return use(answer.GetResult, data)
}
