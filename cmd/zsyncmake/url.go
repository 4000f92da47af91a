package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
)

// validURL is u with what no URL may have written as %XX: spaces, and bytes
// beyond ASCII. What is special in a URL stays as it is.
func validURL(u string) string {
	var b strings.Builder
	for i := range len(u) {
		if c := u[i]; c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// pathURL is the URL of the file at path, as typed, for a control file in the
// current directory.
func pathURL(path string) string {
	path = filepath.ToSlash(path)
	if strings.HasPrefix(path, "//") { // else the next element would be a host
		path = "/" + strings.TrimLeft(path, "/")
	}
	return making.RelativePathURL(path)
}

// urlsFor are the URLs that the control file of j is to have, in order: those
// of -u, those of -U, and by default the file itself, which 0.6.2 writes last.
func (o *options) urlsFor(j job, gzip bool) []string {
	many := len(o.files) > 1
	var list []string
	add := func(urls []string) {
		for _, u := range urls {
			if many { // it ends in a slash
				u += making.RelativeURL(j.name)
			}
			list = append(list, u)
		}
	}
	add(o.urls)
	if o.compat || !gzip {
		add(o.plainURLs)
	}
	if len(o.urls) == 0 && !j.stdin() {
		if o.compat {
			list = append(list, j.file)
		} else {
			list = append(list, pathURL(j.file))
		}
	}
	return list
}
