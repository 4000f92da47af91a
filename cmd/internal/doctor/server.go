package doctor

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

// patience is how long a server may take for all that it is asked.
const patience = time.Minute

// Server looks at what is at u: a directory of control files, or one of them.
func (r *Report) Server(ctx context.Context, c *zsyncclient.Client, u *url.URL) {
	r.within(ctx, patience, func(ctx context.Context) { r.server(ctx, c, u) })
	for _, h := range c.Stats().Hosts {
		if h.RTT > 0 {
			r.ok(AboutServer, "the round trip to %s takes %v", h.Host, h.RTT.Round(100*time.Microsecond))
		}
	}
}

// within does look, which has so much time.
func (r *Report) within(ctx context.Context, d time.Duration, look func(context.Context)) {
	limited, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	look(limited)
	if limited.Err() != nil && ctx.Err() == nil {
		r.bad(AboutServer, "programs that read from a mount of it would wait as long, or get errors", "what is asked of it takes more than %v: %w", d, limited.Err())
	}
}

func (r *Report) server(ctx context.Context, c *zsyncclient.Client, u *url.URL) {
	if strings.HasSuffix(u.Path, ".zsync") {
		r.control(ctx, c, u)
		return
	}
	began := time.Now()
	list, _, err := c.List(ctx, u, zsyncclient.Validators{})
	if err != nil {
		r.bad(AboutServer, listingRemedy(err), "%w", err)
		return
	}
	r.ok(AboutServer, "it answers with a listing, in %v", time.Since(began).Round(time.Millisecond))
	switch {
	case len(list.Files) > 0:
		r.ok(AboutServer, "the listing has %d control files and %d directories", len(list.Files), len(list.Dirs))
	case len(list.Dirs) > 0:
		r.note(AboutServer, "look at one of them: zsyncfs doctor "+list.Dirs[0].URL, "the listing has no control files, but %d directories", len(list.Dirs))
		return
	default:
		r.bad(AboutServer, "publish control files beside the files: zsyncfs make -r DIR", "the listing has no control files (NAME.zsync) and no directories")
		return
	}
	first, err := url.Parse(list.Files[0].URL)
	if err != nil {
		r.bad(AboutServer, "", "the listing leads to no URL: %w", err)
		return
	}
	r.control(ctx, c, first)
}

// listingRemedy is what to do about a listing that could not be had; "" where that is no
// matter of listings.
func listingRemedy(err error) string {
	var status *zsyncclient.StatusError
	if errors.As(err, &status) && status.Code != http.StatusUnauthorized || errors.Is(err, listing.ErrFormat) || errors.Is(err, listing.ErrNotListing) {
		return "the URL must be a directory listing that names .zsync files, or one .zsync file; where there is no listing, --index-file of \"zsyncfs mount\" takes a list of URLs"
	}
	return ""
}

// answerOf looks at the headers of a reply for what mounts rely on.
func (r *Report) answerOf(about string, asked *url.URL, reply *zsyncclient.Reply) {
	if final := reply.Final; final != nil && final.String() != withoutUser(asked).String() {
		switch {
		case final.Host != asked.Host:
			r.note(about, "a login goes to the host that was typed and not on with a redirect; mount the place that it leads to, where one is needed", "it is redirected to another host, %s", zsyncclient.Redact(final))
		default:
			r.note(about, "naming that place saves a round trip now and then", "it is redirected to %s", zsyncclient.Redact(final))
		}
	}
	etag, modified := reply.Header.Get("ETag"), reply.Header.Get("Last-Modified")
	switch {
	case etag != "" && !strings.HasPrefix(etag, "W/"):
		r.ok(about, "it has a strong ETag: that it was replaced is noticed with certainty")
	case modified != "":
		r.note(about, "nginx: etag on;   Apache: FileETag MTime Size", "it has no strong ETag, and is told from another one by Last-Modified, which counts seconds")
	default:
		r.note(about, "nginx: etag on;   Apache: FileETag MTime Size", "it has neither ETag nor Last-Modified: each look at it costs a download of its beginning")
	}
}

func withoutUser(u *url.URL) *url.URL {
	v := *u
	v.User = nil
	return &v
}

// header is a request's header of one line.
func header(name, value string) http.Header {
	h := http.Header{}
	h.Set(name, value)
	return h
}
