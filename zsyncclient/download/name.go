package download

import (
	"net/url"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/zsyncfs/zsyncfs/format"
)

// fallbackName is the target's name when nothing suggests one.
const fallbackName = "zsync-download"

// maxNameLength in bytes: 255 is what file systems allow, less what is appended
// (".zs-old", ".part.old.9").
const maxNameLength = 240

// TargetName is the file name that a control file found at location (a URL or a
// path) gives its target: the header's Filename when it is a plain name that
// begins as the last part of location does, up to the first character that is
// neither letter nor digit; else that beginning; else "zsync-download". A
// publisher can so not choose which file of the folder is replaced.
func TargetName(h *format.Header, location string) string {
	last := lastPart(location)
	prefix := leadingName(last)
	if mayName(h.Filename, last) {
		return h.Filename
	}
	if plainName(prefix) {
		return prefix
	}
	return fallbackName
}

// PackedName is the name of the gzip file that the target was published as, by the
// rules of TargetName; "" when the control file does not say how to make it, or has
// no map to check it by.
func PackedName(h *format.Header, location string) string {
	if h.Recompress == "" || len(h.ZMap) == 0 || !mayName(h.ZFilename, lastPart(location)) {
		return ""
	}
	return h.ZFilename
}

// mayName says whether name may be that of the file whose control file is called
// last.
func mayName(name, last string) bool {
	prefix := leadingName(last)
	return plainName(name) && (name == strings.TrimSuffix(last, ".zsync") || prefix != "" && strings.HasPrefix(name, prefix))
}

func lastPart(location string) string {
	if u, err := url.Parse(location); err == nil && u.Scheme != "" && u.Host != "" {
		location = u.Path
	} else if runtime.GOOS == "windows" {
		location = strings.ReplaceAll(location, `\`, "/")
	}
	return path.Base(location)
}

// leadingName is s up to the first byte that is no ASCII letter or digit.
func leadingName(s string) string {
	for i, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') {
			return s[:i]
		}
	}
	return s
}

// plainName says whether name names a file of a folder, on every system.
func plainName(name string) bool {
	switch {
	case name == "", name == ".", name == "..", len(name) > maxNameLength:
		return false
	case strings.ContainsAny(name, "/\x00"), !filepath.IsLocal(name): // NUL, COM1 ...
		return false
	case runtime.GOOS == "windows" && (strings.ContainsAny(name, `\:*?"<>|`) || strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ")):
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}
