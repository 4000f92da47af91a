package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// loadControl reads the control file that the command line names, with all of
// its records.
func (c *command) loadControl(ctx context.Context) (*zsyncclient.Control, error) {
	if !access.IsURL(c.control) {
		return readControl(ctx, c.control, c.typed)
	}
	if c.keep == "" {
		return c.client.FetchWholeControl(ctx, c.typed, zsyncclient.Validators{})
	}
	if err := refuseForeign(c.keep); err != nil {
		return nil, err
	}
	ctl, err := c.client.FetchWholeControl(ctx, c.typed, keptSince(c.keep))
	if errors.Is(err, zsyncclient.ErrNotModified) {
		if ctl, err = readControl(ctx, c.keep, c.typed); err == nil {
			return ctl, nil
		}
		// What was kept is no use: fetch it whatever the server's clock says.
		ctl, err = c.client.FetchWholeControl(ctx, c.typed, zsyncclient.Validators{})
	}
	if err != nil {
		return nil, err
	}
	if err := c.refuseOwn(ctl); err != nil {
		return nil, err
	}
	if err := keepControl(c.keep, ctl); err != nil {
		return nil, fmt.Errorf("keep the control file: %w", err)
	}
	return ctl, nil
}

// readControl reads the control file at path, which came from url; that may be
// nil.
func readControl(ctx context.Context, path string, from *url.URL) (*zsyncclient.Control, error) {
	ctl, err := access.ReadControl(ctx, path, from)
	var file *fs.PathError
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, report.WithHint(err, "give the URL or the path of a control file; URLs begin with http:// or https://")
	case errors.Is(err, access.ErrDirectory):
		return nil, report.WithCode(exitFile, err)
	case err != nil && !errors.As(err, &file):
		return nil, fmt.Errorf("read control file %s: %w", path, err)
	}
	return ctl, err
}

// refuseForeign refuses to replace what is at path, the file of -k, unless it
// begins as control files do, with a header line.
func refuseForeign(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().IsRegular() && info.Size() == 0 {
		return nil // nothing is lost
	}
	if info.Mode().IsRegular() {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		first := make([]byte, format.MaxNameLength+2)
		n, _ := io.ReadFull(f, first)
		name, _, ok := bytes.Cut(first[:n], []byte(": "))
		if ok && bytes.IndexFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) < 0 {
			return nil
		}
	}
	return report.WithCode(exitFetch, fmt.Errorf("-k %s: that is there, and no control file; it would be replaced", path))
}

// refuseOwn refuses a -k that names a file that the download needs or makes.
func (c *command) refuseOwn(ctl *zsyncclient.Control) error {
	target := c.target(ctl)
	for _, path := range append([]string{target, target + ".part", target + ".part.gz", target + ".zs-old", c.plainTarget(ctl)}, c.seeds...) {
		if filepath.Clean(path) == filepath.Clean(c.keep) {
			return usageError(fmt.Errorf("-k %s: the download itself needs this file", c.keep), "-k names a file to keep the control file in, such as "+target+".zsync")
		}
	}
	return nil
}

// keptSince makes the request conditional on the time of change of the control
// file that was kept; unconditional when there is none.
func keptSince(path string) zsyncclient.Validators {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return zsyncclient.Validators{}
	}
	return zsyncclient.ModifiedSince(info.ModTime())
}

// keepControl saves ctl in one step, with the server's time of change, which the
// next conditional request rests on.
func keepControl(path string, ctl *zsyncclient.Control) error {
	err := making.Save(path, 0, func(w io.Writer) error {
		if _, err := w.Write(ctl.Raw); err != nil {
			return err
		}
		_, err := w.Write(ctl.Records)
		return err
	})
	if err != nil {
		return err
	}
	changed, err := http.ParseTime(ctl.Validators.LastModified)
	if err != nil || ctl.Validators.Young {
		// Without the server's time, "changed since" can only mean since now, by a
		// clock that may differ, and what changed a moment ago may change once more in
		// the same second: the file must look old instead.
		changed = time.Unix(0, 0)
	}
	return os.Chtimes(path, time.Now(), changed)
}
