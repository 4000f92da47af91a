package listing

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// collector gathers the entries of one page: it resolves, checks, and drops
// duplicates (the first of a name stays).
type collector struct {
	final *url.URL // of the page
	base  *url.URL // what links are relative to
	dir   []string // decoded path elements of the directory
	files map[string]string
	dirs  map[string]string
	next  *url.URL
}

func newCollector(final *url.URL) *collector {
	page := *final
	page.User, page.Fragment, page.RawFragment = nil, "", ""
	if page.Path == "" {
		page.Path = "/"
	}
	c := &collector{final: &page, base: &page, files: map[string]string{}, dirs: map[string]string{}}
	c.dir, _ = directoryOf(&page)
	return c
}

// rebase takes a <base href>. Links are resolved against it; the directory
// becomes its directory only where that is the page's own or lies below it.
func (c *collector) rebase(href string) {
	u, ok := parseRef(c.final, href)
	if !ok {
		return
	}
	c.base = u
	dir, ok := directoryOf(u)
	if ok && sameOrigin(u, c.final) && len(dir) >= len(c.dir) && slices.Equal(dir[:len(c.dir)], c.dir) {
		c.dir = dir
	}
}

// child resolves a link and says whether it lies exactly one level below the
// directory; then name is its decoded element.
func (c *collector) child(href string) (u *url.URL, name string, isDir, ok bool) {
	u, ok = parseRef(c.base, href)
	if !ok || !sameOrigin(u, c.final) {
		return nil, "", false, false
	}
	elems, ok := splitPath(u)
	if !ok || len(elems) <= len(c.dir) || !slices.Equal(elems[:len(c.dir)], c.dir) {
		return nil, "", false, false
	}
	rest := elems[len(c.dir):]
	if len(rest) == 2 && rest[1] == "" {
		isDir, rest = true, rest[:1]
	}
	if len(rest) != 1 || rest[0] == "" {
		return nil, "", false, false
	}
	return u, rest[0], isDir, true
}

// add takes an entry that is known to be one level below. name is decoded but
// not checked. It reports ErrTooMany; names that are refused or of no interest
// are left out in silence.
func (c *collector) add(u *url.URL, name string, isDir bool) error {
	name, ok := cleanName(name, isDir)
	if !ok {
		return nil
	}
	into := c.files
	if isDir {
		into = c.dirs
	} else if !strings.HasSuffix(name, Suffix) {
		return nil
	}
	if _, seen := into[name]; seen {
		return nil
	}
	text := u.String()
	if len(text) > MaxURLLength {
		return nil
	}
	if len(c.files)+len(c.dirs) >= MaxEntries {
		return ErrTooMany
	}
	into[name] = text
	return nil
}

func (c *collector) listing() *Listing {
	return &Listing{Files: entries(c.files), Dirs: entries(c.dirs), Next: c.next}
}

func entries(m map[string]string) []Entry {
	out := make([]Entry, 0, len(m))
	for name, u := range m {
		out = append(out, Entry{Name: name, URL: u})
	}
	slices.SortFunc(out, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// SafeName makes name fit to be shown as one path element: valid UTF-8, with
// each other byte as "%XX". ok is false for what is no name: "", ".", "..", more
// than MaxNameLength bytes, a "/" or a control character in it.
func SafeName(name string) (safe string, ok bool) { return cleanName(name, true) }

// cleanName checks a decoded path element and makes it valid UTF-8.
func cleanName(name string, isDir bool) (string, bool) {
	if !utf8.ValidString(name) {
		name = escapeInvalid(name)
	}
	stem := name
	if !isDir {
		stem = strings.TrimSuffix(name, Suffix)
	}
	if stem == "" || stem == "." || stem == ".." || name == "." || name == ".." || len(stem) > MaxNameLength {
		return "", false
	}
	bad := func(r rune) bool { return r == '/' || unicode.IsControl(r) }
	if strings.IndexFunc(name, bad) >= 0 {
		return "", false
	}
	return name, true
}

// escapeInvalid writes each byte that is not part of valid UTF-8 as "%XX".
func escapeInvalid(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			b.WriteByte('%')
			b.WriteByte(hex[s[0]>>4])
			b.WriteByte(hex[s[0]&15])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}
