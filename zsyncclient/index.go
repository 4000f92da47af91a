package zsyncclient

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

// FetchIndex fetches the index file at u, one URL of a control file per line;
// relative ones are resolved against where the redirects led. Bounded like List.
//
// Errors: *StatusError; listing.ParseIndex's (wrapped); transport errors.
func (c *Client) FetchIndex(ctx context.Context, u *url.URL) (*listing.Listing, error) {
	var body []byte
	var final *url.URL
	err := patiently(ctx, func(wait time.Duration) error {
		a, err := c.get(ctx, ask{url: u, header: http.Header{}, class: control, patience: wait})
		if err != nil {
			return err
		}
		if a.code != http.StatusOK {
			return a.statusError()
		}
		final = a.final
		body, err = c.readPage(ctx, a)
		return err
	})
	c.doubt(u, err)
	if err != nil {
		return nil, fmt.Errorf("fetch index file %s: %w", Redact(u), err)
	}
	l, err := listing.ParseIndex(ctx, final, body)
	c.doubt(u, err)
	if err != nil {
		return nil, fmt.Errorf("index file %s: %w", Redact(u), err)
	}
	return l, nil
}
