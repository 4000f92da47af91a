package zsyncclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

const (
	// maxPage bounds one page of a listing, in bytes.
	maxPage = 64 << 20
	// maxPages bounds the pages of one listing.
	maxPages = 1000
)

// List fetches and parses the listing at u, following pages (S3), with prev's
// conditional headers when not zero. Bounded: 64 MiB a page, 1,000 pages,
// listing.MaxEntries entries, listing.MaxURLBytes of their URLs. The validators of a listing of several pages are
// zero, since those of its first page say nothing of the others. Temporary
// failures are tried again for two seconds at most for each page.
//
// Errors: ErrNotModified; *StatusError; listing.Parse's (wrapped); transport errors.
func (c *Client) List(ctx context.Context, u *url.URL, prev Validators) (*listing.Listing, Validators, error) {
	l, v, err := c.list(ctx, u, prev)
	if err != nil {
		return nil, Validators{}, fmt.Errorf("fetch listing %s: %w", Redact(u), err)
	}
	return l, v, nil
}

func (c *Client) list(ctx context.Context, u *url.URL, prev Validators) (*listing.Listing, Validators, error) {
	all, v, final, err := c.page(ctx, u, prev)
	if err != nil || all.Next == nil {
		return all, v, err
	}
	size := urlBytes(all)
	for pages := 1; all.Next != nil; pages++ {
		if pages == maxPages {
			return nil, v, refuse("more than %d pages", maxPages)
		}
		if originKey(all.Next) != originKey(final) {
			return nil, v, refuse("its next page lies elsewhere: %s", Redact(all.Next))
		}
		l, _, _, err := c.page(ctx, all.Next, Validators{})
		if err != nil {
			return nil, v, err
		}
		all.Files = append(all.Files, l.Files...)
		all.Dirs = append(all.Dirs, l.Dirs...)
		all.Next = l.Next
		if len(all.Files)+len(all.Dirs) > listing.MaxEntries {
			return nil, v, refuse("more than %d entries", listing.MaxEntries)
		}
		if size += urlBytes(l); size > listing.MaxURLBytes {
			return nil, v, refuse("URLs of more than %d bytes", listing.MaxURLBytes)
		}
	}
	all.Files, all.Dirs = merged(all.Files), merged(all.Dirs)
	return all, Validators{Length: -1}, nil
}

// urlBytes is the sum of the lengths of l's URLs.
func urlBytes(l *listing.Listing) (sum int) {
	for _, es := range [][]listing.Entry{l.Files, l.Dirs} {
		for _, e := range es {
			sum += len(e.URL)
		}
	}
	return sum
}

// merged sorts entries by name and drops repeated names.
func merged(es []listing.Entry) []listing.Entry {
	slices.SortStableFunc(es, func(a, b listing.Entry) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(es, func(a, b listing.Entry) bool { return a.Name == b.Name })
}

// page fetches and parses one page; final is where the redirects led.
func (c *Client) page(ctx context.Context, u *url.URL, prev Validators) (l *listing.Listing, v Validators, final *url.URL, err error) {
	var body []byte
	var a *answer
	err = patiently(ctx, func(wait time.Duration) error {
		var err error
		h := http.Header{"Accept": {"text/html, application/xhtml+xml, application/json, application/xml, text/xml, text/plain;q=0.8, */*;q=0.5"}}
		prev.conditional(h)
		a, err = c.get(ctx, ask{url: u, header: h, class: control, patience: wait})
		if err != nil {
			return err
		}
		if a.code == http.StatusNotModified && !prev.empty() {
			a.body.done()
			return ErrNotModified
		}
		if a.code != http.StatusOK {
			return a.statusError()
		}
		body, err = c.readPage(ctx, a)
		return err
	})
	c.doubt(u, err)
	if err != nil {
		return nil, v, nil, err
	}
	l, err = listing.Parse(ctx, a.final, a.header.Get("Content-Type"), body)
	if err != nil && ctx.Err() != nil {
		return nil, v, nil, err
	}
	c.doubt(u, err)
	if err != nil {
		return nil, v, nil, &refusal{err: err}
	}
	return l, validatorsOf(a.header, int64(len(body))), a.final, nil
}

// largePage is the length of a page, in bytes, beyond which one at a time is read:
// bodies without an end are known as such only when they are as long as maxPage.
const largePage = 4 << 20

// readPage reads the whole body of a.
func (c *Client) readPage(ctx context.Context, a *answer) ([]byte, error) {
	if a.length > maxPage {
		a.body.done()
		return nil, refuse("page of %d bytes", a.length)
	}
	// In pieces, so that what is refused in the end was not copied again and again.
	var pieces [][]byte
	for read := 0; read <= maxPage; {
		if read == largePage {
			select {
			case c.largePage <- struct{}{}:
				defer func() { <-c.largePage }()
			case <-ctx.Done():
				return nil, a.body.broke(ctx.Err())
			}
		}
		p := make([]byte, pagePiece)
		n, err := io.ReadFull(a.body, p)
		read += n
		pieces = append(pieces, p[:n])
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF) && a.body.err == io.EOF:
			a.body.done()
			return slices.Concat(pieces...), nil
		case err != nil:
			return nil, a.body.broke(a.body.err)
		}
	}
	a.body.done()
	return nil, refuse("page of more than %d bytes", maxPage)
}

// pagePiece is how much of a page is read at once, in bytes.
const pagePiece = 64 << 10
