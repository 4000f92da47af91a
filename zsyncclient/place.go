package zsyncclient

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
)

// maxPlace is the longest URL that is a place as it is, in bytes.
const maxPlace = 1024

// Place names where ctl came from: its URL without a query, which in signed URLs
// changes every time, and with the name (never the password) of whom its origin was
// told; a digest of that when it is longer than 1024 bytes; "" when the URL is not
// known.
func (c *Client) Place(ctl *Control) string {
	u := ctl.URL
	if u == nil {
		return ""
	}
	place := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if name := c.creds.name(u); name != "" {
		place.User = url.User(name)
	}
	text := place.String()
	if len(text) > maxPlace {
		sum := sha256.Sum256([]byte(text))
		text = hex.EncodeToString(sum[:])
	}
	return text
}

// DocumentKey names the document at u in what is kept on disk: its URL with the name
// (never the password) of whom its origin was told, so that what one user may see is
// not shown to another, and with a digest in place of the query, in which there may be
// a signature.
func (c *Client) DocumentKey(u *url.URL) string {
	v := withoutUser(u)
	if name := c.creds.name(u); name != "" {
		v.User = url.User(name)
	}
	if v.RawQuery != "" {
		sum := sha256.Sum256([]byte(v.RawQuery))
		v.RawQuery = "sha256:" + hex.EncodeToString(sum[:])
	}
	return v.String()
}
