package zsyncclient

import (
	"errors"
	"net/url"
	"strings"
)

// maxURL bounds a URL of a control file or redirect, in bytes.
const maxURL = 8 << 10

// resolveReference resolves ref, as a server or control file wrote it, against
// base. What may not stand in a URL (spaces, lone percent signs, bytes above
// 127) is escaped; control characters are refused. The result has no user
// information and no fragment, and may have any scheme.
func resolveReference(base *url.URL, ref string) (*url.URL, error) {
	ref = strings.Trim(ref, " \t\r\n")
	if ref == "" {
		return nil, errors.New("empty URL")
	}
	if len(ref) > maxURL {
		return nil, errors.New("URL too long")
	}
	escaped, err := escapeReference(ref)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(escaped)
	if err != nil && !hasScheme(escaped) && escaped[0] != '/' {
		// "2024-01-01T10:00.iso": a colon in the first part of a path.
		u, err = url.Parse("./" + escaped)
	}
	if err != nil {
		// The text of a url.Error has the URL with its query.
		var e *url.Error
		if errors.As(err, &e) {
			err = e.Err
		}
		return nil, err
	}
	return withoutUser(base.ResolveReference(u)), nil
}

// escapeReference escapes the bytes that may not stand in a URL.
func escapeReference(ref string) (string, error) {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(ref); i++ {
		c := ref[i]
		switch {
		case c < ' ' || c == 0x7f:
			return "", errors.New("URL with a control character")
		case c == '%' && i+2 < len(ref) && isHex(ref[i+1]) && isHex(ref[i+2]):
			b.WriteByte(c)
		case c >= 0x80 || strings.IndexByte(" %\"<>\\^`{|}", c) >= 0:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// hasScheme says whether ref starts with a scheme and a colon.
func hasScheme(ref string) bool {
	scheme, _, ok := strings.Cut(ref, ":")
	if !ok || scheme == "" || !isLetter(scheme[0]) {
		return false
	}
	for i := range len(scheme) {
		c := scheme[i]
		if !isLetter(c) && (c < '0' || c > '9') && strings.IndexByte("+-.", c) < 0 {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// resolveListed is resolveReference for a URL line of a control file. Writers
// put the name of a file there as it is, so a "#" in a relative one belongs to
// the name. base nil takes absolute ones only.
func resolveListed(base *url.URL, ref string) (*url.URL, error) {
	if !hasScheme(strings.TrimLeft(ref, " \t")) {
		if base == nil {
			return nil, errRelative
		}
		ref = strings.ReplaceAll(ref, "#", "%23")
	}
	if base == nil {
		base = &url.URL{}
	}
	return resolveReference(base, ref)
}
