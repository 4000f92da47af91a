package zsyncclient

import (
	"context"
	"io"
	"net/http"
	"net/url"
)

// Reply is how a server answered one request.
type Reply struct {
	Code   int
	Header http.Header
	Final  *url.URL // where the redirects led
}

// Probe asks for u once, with these headers, and reads at most limit bytes of the body: for
// who wants to know how a server answers. The rules of all requests hold (addresses,
// redirects, credentials). Errors: *StatusError for 5xx, 408 and 429; transport errors;
// one that says so for a body with a Content-Encoding, which was not asked for.
func (c *Client) Probe(ctx context.Context, u *url.URL, header http.Header, limit int64) (*Reply, error) {
	a, err := c.get(ctx, ask{url: u, header: header, class: data, pri: Foreground})
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(a.body, limit)); err != nil {
		return nil, a.body.broke(err)
	}
	a.body.done()
	return &Reply{Code: a.code, Header: a.header, Final: a.final}, nil
}

// Candidate is a URL at which a target is looked for.
type Candidate struct {
	URL     *url.URL // nil: it is refused
	Text    string   // the URL as messages show it
	Gzip    bool     // a gzip copy of it
	Guessed bool     // the control file names others, and not this one
	Err     error    // why it is refused
}

// Candidates are the URLs at which the target of ctl is looked for, in order.
func (c *Client) Candidates(ctl *Control) (out []Candidate) {
	for _, cand := range candidatesOf(ctl, nil) {
		out = append(out, Candidate{URL: cand.url, Text: cand.text, Gzip: cand.gzip, Guessed: cand.guessed, Err: cand.refused})
	}
	return out
}
