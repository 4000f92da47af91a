package listing

import (
	"cmp"
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
	base  base
	dir   []string // decoded path elements of the directory
	files map[string]string
	dirs  map[string]string
	next  *url.URL
	bytes int // of the URLs that were made
}

// base is what links are relative to, with what is found out once and not for each
// link.
type base struct {
	url    *url.URL
	own    bool   // it has the page's origin
	leaf   string // escaped, what follows the last "/" of its path
	depth  int    // path elements of its directory
	common int    // how many of them the directory begins with
}

func newCollector(final *url.URL) *collector {
	page := *final
	page.User, page.Fragment, page.RawFragment = nil, "", ""
	if page.Path == "" {
		page.Path = "/"
	}
	c := &collector{final: &page, files: map[string]string{}, dirs: map[string]string{}}
	u := page.ResolveReference(&url.URL{}) // without "." and ".." in its path
	c.dir, _ = directoryOf(u)
	c.setBase(u, c.dir)
	return c
}

// setBase has links be relative to u, whose directory is dir.
func (c *collector) setBase(u *url.URL, dir []string) {
	path := u.EscapedPath()
	c.base = base{url: u, own: isWeb(u) && sameOrigin(u, c.final), leaf: path[strings.LastIndexByte(path, '/')+1:], depth: len(dir)}
	for i := range min(len(dir), len(c.dir)) {
		if dir[i] != c.dir[i] {
			break
		}
		c.base.common++
	}
}

// rebase takes a <base href>. Links are resolved against it; the directory
// becomes its directory only where that is the page's own or lies below it. One that
// is too long is ignored.
func (c *collector) rebase(href string) {
	ref, ok := parseRef(href)
	if !ok {
		return
	}
	u := resolve(c.final, ref)
	dir, ok := directoryOf(u)
	if !ok || !isWeb(u) || !isBase(u) {
		return
	}
	if sameOrigin(u, c.final) && len(dir) >= len(c.dir) && slices.Equal(dir[:len(c.dir)], c.dir) {
		c.dir = dir
	}
	c.setBase(u, dir)
}

// child says whether a link leads exactly one level below the directory; then name
// is its decoded element, and ref is to be resolved against the base. It costs what
// href is long, not what the base is: a page may have millions of links.
func (c *collector) child(href string) (ref *url.URL, name string, isDir, ok bool) {
	ref, ok = parseRef(href)
	if !ok || !c.isOwn(ref) {
		return nil, "", false, false
	}
	kept, rest, ok := c.base.follow(ref)
	if !ok || kept > c.base.common {
		return nil, "", false, false
	}
	dir := c.dir[kept:]
	if len(rest) <= len(dir) || !slices.Equal(rest[:len(dir)], dir) {
		return nil, "", false, false
	}
	rest = rest[len(dir):]
	if len(rest) == 2 && rest[1] == "" {
		isDir, rest = true, rest[:1]
	}
	if len(rest) != 1 || rest[0] == "" {
		return nil, "", false, false
	}
	return ref, rest[0], isDir, true
}

// isOwn says whether ref leads to the page's origin.
func (c *collector) isOwn(ref *url.URL) bool {
	if !isAbsolute(ref) {
		return c.base.own
	}
	u := url.URL{Scheme: cmp.Or(ref.Scheme, c.base.url.Scheme), Host: ref.Host}
	return isWeb(&u) && sameOrigin(&u, c.final)
}

// follow is the path that ref leads to, as url.ResolveReference has it: so many
// elements of the base's directory, and the decoded ones that come then; the one after
// a final "/" is "".
func (b *base) follow(ref *url.URL) (kept int, rest []string, ok bool) {
	path := ref.EscapedPath()
	switch {
	case strings.HasPrefix(path, "/"):
		path = path[1:]
	case isAbsolute(ref):
	case path == "":
		kept, path = b.depth, b.leaf
	default:
		kept = b.depth
	}
	var last string
	for e := range strings.SplitSeq(path, "/") {
		switch {
		case e == ".":
		case e == ".." && len(rest) > 0:
			rest = rest[:len(rest)-1]
		case e == ".." && kept > 0:
			kept--
		case e == "..": // the root stays the root
		case e == "" && last == ".." && kept+len(rest) == 0: // a "/" after it goes
		default:
			d, err := url.PathUnescape(e)
			if err != nil {
				return 0, nil, false
			}
			rest = append(rest, d)
		}
		last = e
	}
	if last == "." || last == ".." {
		rest = append(rest, "")
	}
	return kept, rest, true
}

// add takes an entry that is known to be one level below. name is decoded but
// not checked; at makes its URL, and is called for a new name only: URLs are as long
// as the page's. It reports ErrTooMany; names that are refused or of no interest are
// left out in silence.
func (c *collector) add(name string, isDir bool, at func() *url.URL) error {
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
	text := at().String()
	// What is left out counts, since it was made.
	if c.bytes += len(text); c.bytes > MaxURLBytes {
		return errURLBytes
	}
	if len(text) > MaxURLLength {
		return nil
	}
	if len(c.files)+len(c.dirs) >= MaxEntries {
		return errEntries
	}
	// The name is a part of a link or key, which may be long.
	into[strings.Clone(name)] = text
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
