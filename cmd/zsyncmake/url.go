package main

import (
	"fmt"
	"os"
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

// urlsFor are the URLs that the control file of j is to have, and those of its
// gzip file, in order: of a target that is no gzip file or is described as it is,
// those of -u, those of -U, and by default the file itself, which 0.6.2 writes
// last.
func (o *options) urlsFor(j job, gzip bool) (urls, packed []string) {
	if j.packed != "" {
		return o.insideURLs(j)
	}
	urls = o.eachNamed(urls, o.urls, j.name)
	if o.compat || !gzip {
		urls = o.eachNamed(urls, o.plainURLs, j.name)
	}
	if len(o.urls) == 0 && !j.stdin() {
		urls = append(urls, o.fileURL(j.file))
	}
	return urls, nil
}

// insideURLs are the URLs for the content of a gzip file: those of -u lead to the
// gzip file, those of -U to the content.
func (o *options) insideURLs(j job) (urls, packed []string) {
	packed = o.eachNamed(nil, o.urls, j.packedName)
	urls = o.eachNamed(nil, o.plainURLs, j.name)
	if len(o.urls) > 0 || j.stdin() {
		return urls, packed
	}
	packed = append(packed, o.fileURL(j.packed))
	switch {
	case o.compat && readable(j.name):
		urls = append(urls, j.name)
	case !o.compat && o.compress && readable(j.file):
		urls = append(urls, o.fileURL(j.file))
	}
	return urls, packed
}

// eachNamed appends urls to list, with name when each file adds its own.
func (o *options) eachNamed(list, urls []string, name string) []string {
	for _, u := range urls {
		if len(o.files) > 1 { // it ends in a slash
			u += making.RelativeURL(name)
		}
		list = append(list, u)
	}
	return list
}

// fileURL is the URL of the file at path, as typed.
func (o *options) fileURL(path string) string {
	if o.compat {
		return path
	}
	return pathURL(path)
}

// readable says whether there is a file at path that can be read.
func readable(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	f.Close()
	return true
}
