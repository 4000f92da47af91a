package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

const rangesHelp = "use a server with range requests (nginx, Apache, lighttpd, Caddy, S3), and let nothing before it compress or rewrite the file"

// targets looks at each URL that the target may be at.
func (r *Report) targets(ctx context.Context, c *zsyncclient.Client, ctl *zsyncclient.Control) {
	works := 0
	for _, cand := range c.Candidates(ctl) {
		switch {
		case cand.Guessed:
			continue // it need not be there
		case cand.Err != nil:
			r.bad(AboutTarget, publisher, "%s is refused: %w", cand.Text, cand.Err)
			continue
		}
		if r.candidate(ctx, c, ctl, cand) {
			works++
		}
	}
	if works == 0 {
		r.bad(AboutTarget, "publish the file where the control file says (zsyncfs make -u URL), or mend what is said above", "no URL serves the file by ranges")
		return
	}
	r.blocks(ctx, c, ctl)
}

// candidate says whether the target can be read at one URL.
func (r *Report) candidate(ctx context.Context, c *zsyncclient.Client, ctl *zsyncclient.Control, cand zsyncclient.Candidate) bool {
	if ctl.Header.Length == 0 {
		r.ok(AboutTarget, "it is empty: nothing is fetched")
		return true
	}
	reply, err := c.Probe(ctx, cand.URL, header("Range", "bytes=0-0"), 1)
	if err != nil {
		r.bad(AboutTarget, remedyOf(err), "%s: %w", cand.Text, err)
		return false
	}
	switch reply.Code {
	case http.StatusPartialContent:
	case http.StatusOK:
		r.bad(AboutTarget, rangesHelp, "%s: the server sends the whole file where a part is asked for", cand.Text)
		return false
	case http.StatusUnauthorized, http.StatusForbidden:
		r.bad(AboutTarget, "log in with --user, --netrc, --header or --cert", "%s: %w", cand.Text, &zsyncclient.StatusError{URL: cand.Text, Code: reply.Code})
		return false
	default:
		r.bad(AboutTarget, "publish the file there, or name where it is with zsyncfs make -u URL", "%s: %w", cand.Text, &zsyncclient.StatusError{URL: cand.Text, Code: reply.Code})
		return false
	}
	total := totalOf(reply.Header.Get("Content-Range"))
	if !cand.Gzip && total != fmt.Sprint(ctl.Header.Length) {
		r.bad(AboutTarget, "file and control file are of different versions, or the server does not say the length: make the control file anew (zsyncfs make)", "%s: %w", cand.Text,
			fmt.Errorf("%w: the control file says %d bytes, the server %s", format.ErrLength, ctl.Header.Length, orUnknown(total)))
		return false
	}
	kind := "the file"
	if cand.Gzip {
		kind = "a gzip copy"
	}
	r.ok(AboutTarget, "%s is %s, by ranges", cand.Text, kind)
	r.answerOf(AboutTarget, cand.URL, reply)
	r.ifRange(ctx, c, cand.URL, reply.Header.Get("ETag"))
	r.multi(ctx, c, cand.URL, ctl.Header.Length)
	return true
}

// remedyOf is advice on an error of a request.
func remedyOf(err error) string {
	switch {
	case errors.Is(err, zsyncclient.ErrForbiddenAddress):
		return "--allow-private lets control files and redirects lead to private addresses"
	case strings.Contains(err.Error(), "Content-Encoding"):
		return "switch compression off for these files (nginx: gzip off; Apache: SetEnv no-gzip 1)"
	}
	return ""
}

// ifRange looks whether a part of another version would be told from this one's.
func (r *Report) ifRange(ctx context.Context, c *zsyncclient.Client, u *url.URL, etag string) {
	if etag == "" || strings.HasPrefix(etag, "W/") {
		return
	}
	h := header("Range", "bytes=0-0")
	h.Set("If-Range", `"another-version"`)
	reply, err := c.Probe(ctx, u, h, 1)
	switch {
	case err != nil:
	case reply.Code == http.StatusOK:
		r.ok(AboutTarget, "If-Range works: parts of two versions are never mixed by the server")
	default:
		r.note(AboutTarget, "mounts find out by checksums, which costs a request more when the file is replaced", "the server ignores If-Range")
	}
}

// multi looks whether several ranges can be asked for at once.
func (r *Report) multi(ctx context.Context, c *zsyncclient.Client, u *url.URL, length int64) {
	if length < 3 {
		return
	}
	reply, err := c.Probe(ctx, u, header("Range", fmt.Sprintf("bytes=0-0,%d-%d", length-1, length-1)), 4096)
	switch {
	case err != nil:
	case reply.Code == http.StatusPartialContent && strings.HasPrefix(reply.Header.Get("Content-Type"), "multipart/byteranges"):
		r.ok(AboutTarget, "several ranges can be asked for in one request")
	default:
		r.note(AboutTarget, "nothing needs to be done; nginx and Apache can (max_ranges, MaxRanges)", "the server does not answer several ranges in one request: updates take more requests")
	}
}

// blocks fetches the first and the last block, as a mount does.
func (r *Report) blocks(ctx context.Context, c *zsyncclient.Client, ctl *zsyncclient.Control) {
	n := ctl.Header.Geometry().BlockCount()
	if n == 0 {
		return
	}
	source := c.NewSource(ctl, nil)
	for _, b := range []format.BlockID{0, format.BlockID(n - 1)} {
		blocks := format.BlockRange{Start: b, End: b + 1}
		err := source.Fetch(ctx, blocks, zsyncclient.Foreground, recordsOf(c, ctl), func(format.BlockID, []byte) error { return nil })
		if err != nil {
			r.bad(AboutTarget, "file and control file are of different versions: make the control file anew (zsyncfs make)", "block %d of %d cannot be fetched: %w", b, n, err)
			return
		}
		if n == 1 {
			break
		}
	}
	r.ok(AboutTarget, "the first and the last block agree with their checksums")
}

// recordsOf fetches the records of blocks.
func recordsOf(c *zsyncclient.Client, ctl *zsyncclient.Control) func(context.Context, format.BlockRange) ([]byte, error) {
	return func(ctx context.Context, blocks format.BlockRange) ([]byte, error) {
		r := ctl.Header.RecordRange(blocks)
		raw := make([]byte, 0, r.Length())
		err := c.FetchControlRange(ctx, ctl, r, func(_ int64, p []byte) error {
			raw = append(raw, p...)
			return nil
		})
		return raw, err
	}
}

// totalOf is the total of a Content-Range; "" for none.
func totalOf(contentRange string) string {
	_, total, ok := strings.Cut(contentRange, "/")
	if !ok || total == "*" {
		return ""
	}
	return strings.TrimSpace(total)
}

func orUnknown(s string) string {
	if s == "" {
		return "does not say"
	}
	return s
}
