package listing

import (
	"fmt"
	"net/url"
	"strings"
)

const (
	// maxBasePath and maxBaseDepth bound the path that links are relative to, in bytes
	// and in elements. Linux allows 4096 bytes for a path.
	maxBasePath  = 4096
	maxBaseDepth = 256
)

var errBase = fmt.Errorf("%w: its URL is too long: more than %d bytes, or a path of more than %d bytes or %d elements",
	ErrNotListing, MaxURLLength, maxBasePath, maxBaseDepth)

// isBase says whether u is short enough for links to be relative to it.
func isBase(u *url.URL) bool {
	return len(u.String()) <= MaxURLLength && len(u.EscapedPath()) <= maxBasePath && strings.Count(u.EscapedPath(), "/") <= maxBaseDepth
}

// parseRef reads href as a browser does: white space around it and line breaks
// within go, and so does the fragment; a "%" that starts no escape means itself.
func parseRef(href string) (*url.URL, bool) {
	href = strings.Trim(href, " \t\r\n\f\x00")
	if strings.ContainsAny(href, "\t\r\n") {
		href = strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(href)
	}
	href, _, _ = strings.Cut(href, "#")
	if len(href) > MaxURLLength {
		return nil, false
	}
	ref, err := url.Parse(repairPercent(href))
	if err != nil || ref.Opaque != "" {
		return nil, false
	}
	return ref, true
}

// resolve is where ref leads from base, without fragment and user.
func resolve(base, ref *url.URL) *url.URL {
	u := base.ResolveReference(ref)
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	return u
}

// isAbsolute says whether ref names a host, or tries to.
func isAbsolute(ref *url.URL) bool { return ref.Scheme != "" || ref.Host != "" || ref.User != nil }

func isWeb(u *url.URL) bool { return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" }

func repairPercent(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(s[i])
		if s[i] == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])) {
			b.WriteString("25")
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// splitPath is u's path as decoded elements; the one after a final "/" is "".
// An element is decoded alone, so "%2F" never becomes a separator.
func splitPath(u *url.URL) ([]string, bool) {
	elems := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i, e := range elems {
		d, err := url.PathUnescape(e)
		if err != nil {
			return nil, false
		}
		elems[i] = d
	}
	return elems, true
}

// directoryOf is splitPath up to the last "/".
func directoryOf(u *url.URL) ([]string, bool) {
	elems, ok := splitPath(u)
	if !ok {
		return nil, false
	}
	return elems[:len(elems)-1], true
}

func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if strings.EqualFold(u.Scheme, "https") {
		return "443"
	}
	return "80"
}

// below is the URL of the element name directly in the directory of u.
func below(u *url.URL, name string, isDir bool) *url.URL {
	out := *u
	out.RawQuery, out.ForceQuery = "", false
	p := out.EscapedPath()
	p = p[:strings.LastIndexByte(p, '/')+1] + escapeElement(name)
	if isDir {
		p += "/"
	}
	setEscapedPath(&out, p)
	return &out
}

// escapeElement escapes one path element. "+" is escaped as well: S3 takes a
// bare one for a space.
func escapeElement(name string) string {
	return strings.ReplaceAll(url.PathEscape(name), "+", "%2B")
}

func setEscapedPath(u *url.URL, escaped string) {
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		plain = escaped
	}
	u.Path, u.RawPath = plain, escaped
}
