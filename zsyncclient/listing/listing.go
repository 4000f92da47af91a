package listing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"strings"
)

// MaxEntries is the largest number of entries that a listing may have.
const MaxEntries = 100_000

// MaxNameLength is the largest length in bytes of a directory's name and of a
// file's name without ".zsync": what Linux allows for one path element.
const MaxNameLength = 255

// MaxURLLength is the largest length in bytes of an entry's URL; longer ones are
// left out. The keys of S3 have at most 1024 bytes, three times that escaped.
const MaxURLLength = 8192

// MaxURLBytes is the largest sum of the lengths of a listing's URLs, in bytes: a long
// URL of the page stands in those of all entries.
const MaxURLBytes = 64 << 20

// Suffix ends the name of every control file.
const Suffix = ".zsync"

var (
	// ErrFormat says that a document's type is none that lists a directory.
	ErrFormat = errors.New("not a known format of a directory listing")
	// ErrNotListing says that a document has a fitting type, and is no listing
	// all the same: a login page, an error page, an empty document.
	ErrNotListing = errors.New("the page is not a directory listing")
	// ErrTooMany says that a listing has more than MaxEntries entries, or URLs of more
	// than MaxURLBytes.
	ErrTooMany = errors.New("the listing has too many entries")

	errEntries  = fmt.Errorf("%w: more than %d", ErrTooMany, MaxEntries)
	errURLBytes = fmt.Errorf("%w: their URLs have more than %d bytes", ErrTooMany, MaxURLBytes)
)

// Listing is what a directory holds: control files and directories.
// JSON-encodable (for the store).
type Listing struct {
	// Files are the entries that end in ".zsync", sorted by Name, unique.
	Files []Entry
	// Dirs are the subdirectories, sorted by Name, unique.
	Dirs []Entry
	// Next is the URL of the listing's next page, nil when this is the last (S3).
	Next *url.URL `json:"-"`
}

// Entry is one name of a listing.
type Entry struct {
	// Name is one path element, decoded: no "/", NUL, control character, ".", "..".
	// A file's name still ends in ".zsync".
	Name string
	// URL is absolute: the control file's, or the listing of the directory.
	URL string
}

// Parse reads the body of a listing that came from final (after redirects)
// with this Content-Type. final must be absolute. It takes a time that grows with
// the length of body, or less when ctx ends.
//
// Errors: ErrFormat, ErrNotListing and ErrTooMany, each wrapped with what is
// known; an error of the JSON or XML syntax; the cause of ctx's end. Safe for
// concurrent use.
func Parse(ctx context.Context, final *url.URL, contentType string, body []byte) (*Listing, error) {
	if final == nil || final.Host == "" {
		return nil, fmt.Errorf("listing: the URL of the page is not absolute")
	}
	if !isBase(final) {
		return nil, errBase
	}
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	open := func() io.Reader { return &reader{ctx, bytes.NewReader(body)} }
	c := newCollector(final)
	var err error
	switch kindOf(contentType, body) {
	case kindHTML:
		err = parseHTML(c, open())
	case kindJSON:
		err = parseJSON(c, open())
	case kindXML:
		err = parseXML(c, open)
	default:
		return nil, fmt.Errorf("%w: Content-Type %.100q", ErrFormat, contentType)
	}
	if err != nil && ctx.Err() != nil {
		// Not what a parser makes of a document that ends early.
		return nil, fmt.Errorf("listing: %w", context.Cause(ctx))
	}
	if err != nil {
		return nil, err
	}
	return c.listing(), nil
}

// reader reads r until ctx ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

type kind int

const (
	kindNone kind = iota
	kindHTML
	kindJSON
	kindXML
)

// kindOf chooses the format by the Content-Type, and by the body's first bytes
// only when that type says nothing.
func kindOf(contentType string, body []byte) kind {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		// A wrong parameter does not make the type itself unreadable.
		media, _, _ = strings.Cut(contentType, ";")
		media = strings.ToLower(strings.TrimSpace(media))
	}
	switch media {
	case "text/html", "application/xhtml+xml":
		return kindHTML
	case "application/json", "text/json":
		return kindJSON
	case "application/xml", "text/xml":
		return kindXML
	case "", "application/octet-stream", "text/plain":
		return sniff(body)
	}
	return kindNone
}

func sniff(body []byte) kind {
	start := bytes.TrimLeft(body, " \t\r\n")
	start = bytes.ToLower(start[:min(len(start), 1024)])
	switch {
	case len(start) == 0:
		return kindNone
	case start[0] == '[', bytes.Equal(bytes.TrimSpace(start), []byte("null")):
		return kindJSON
	case start[0] != '<':
		return kindNone
	case bytes.HasPrefix(start, []byte("<listbucketresult")), bytes.HasPrefix(start, []byte("<list>")):
		return kindXML
	case bytes.HasPrefix(start, []byte("<?xml")) && !bytes.Contains(start, []byte("<html")):
		return kindXML
	}
	return kindHTML
}
