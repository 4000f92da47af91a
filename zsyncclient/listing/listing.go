package listing

import "net/url"

// MaxEntries is the largest number of entries that a listing may have.
const MaxEntries = 100_000

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
// with this Content-Type.
func Parse(final *url.URL, contentType string, body []byte) (*Listing, error) { panic("contract") }

// ParseIndex reads an index file: one URL (absolute, or relative to base, which may be nil)
// per line; empty lines and lines that start with "#" are skipped. Only URLs that end in ".zsync" (query aside).
func ParseIndex(base *url.URL, body []byte) (*Listing, error) { panic("contract") }
