package doctor

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

const publisher = "the fault is the publisher's; a good control file is made with: zsyncfs make FILE"

// control looks at the control file at u, and at what it leads to.
func (r *Report) control(ctx context.Context, c *zsyncclient.Client, u *url.URL) {
	began := time.Now()
	ctl, err := c.FetchControl(ctx, u, zsyncclient.Validators{}, 0)
	var parse *format.ParseError
	var short *format.ShortError
	switch {
	case errors.As(err, &parse), errors.As(err, &short):
		r.bad(AboutControl, publisher, "%s: %w", zsyncclient.Redact(u), err)
		return
	case err != nil:
		r.bad(AboutServer, "", "%s: %w", zsyncclient.Redact(u), err)
		return
	}
	h := ctl.Header
	r.ok(AboutControl, "%s can be read: %s of %d bytes in blocks of %d (%v)", zsyncclient.Redact(u), nameOf(h), h.Length, h.BlockSize, time.Since(began).Round(time.Millisecond))
	r.headers(h)
	if reply, err := c.Probe(ctx, u, header("Range", "bytes=0-0"), 1); err == nil {
		r.answerOf(AboutControl, u, reply)
		switch {
		case reply.Code == 206:
			r.ok(AboutControl, "the server answers range requests for it")
		default:
			r.note(AboutControl, "ranges are off for this kind of file, or in something before the server", "the server does not answer range requests for it (%d), so that each look costs more of it", reply.Code)
		}
	}
	r.targets(ctx, c, ctl)
}

func nameOf(h *format.Header) string {
	if h.Filename == "" {
		return "a file without a name"
	}
	return h.Filename
}

// headers looks at what the header says.
func (r *Report) headers(h *format.Header) {
	for _, w := range h.Warnings {
		r.note(AboutControl, publisher, "%s", w)
	}
	for _, f := range h.Unknown {
		if !containsFold(h.Safe, f.Name) {
			r.note(AboutControl, "other programs may refuse the file", "header %q is not known", f.Name)
		}
	}
	strongest := ""
	for _, d := range h.FileHashes {
		if strongest != "SHA-256" {
			strongest = d.Algorithm
		}
	}
	switch strongest {
	case "":
		r.note(AboutControl, publisher, "it has no digest of the whole file: mounts check each block, and the whole never")
	case "SHA-1":
		r.note(AboutControl, "zsyncfs make and zsyncmake write SHA-256 as well", "the whole is verified by SHA-1 only, for which collisions can be made")
	default:
		r.ok(AboutControl, "the whole can be verified by %s", strongest)
	}
	if bits := 8 * h.StrongLength; bits < 64 {
		r.note(AboutControl, "without --compat, zsyncmake writes them whole", "block checksums are cut to %d bits: a block that matches by chance is found only when the whole is verified", bits)
	}
	if h.SeqMatches > 1 && h.Length < 2*h.BlockSize {
		r.note(AboutControl, publisher, "it wants %d matches in a row of a file of one block", h.SeqMatches)
	}
}

func containsFold(list []string, name string) bool {
	for _, s := range list {
		if strings.EqualFold(s, name) {
			return true
		}
	}
	return false
}
