package zsyncclient

import (
	"errors"
	"net/url"
	"strings"
)

// errRelative: nothing is known that a relative URL could be resolved against.
var errRelative = errors.New("relative URL in a control file of no known address")

// candidatesOf resolves ctl's candidates: each listed URL against the URL that
// was asked for, then against the final one, then the control file's URL
// without ".zsync", then the mirrors, then the gzip copies like the listed URLs.
// Duplicates are dropped.
func candidatesOf(ctl *Control, mirrors []*url.URL) []*candidate {
	var out []*candidate
	seen := map[string]bool{}
	guess := false
	add := func(u *url.URL, text string, err error, gzip bool) {
		c := &candidate{url: u, text: text, refused: err, gzip: gzip, guessed: guess}
		if u != nil {
			c.text = Redact(u)
			c.refused = checkURL(u)
			text = u.String()
		}
		if c.refused != nil {
			c.refused = &refusal{err: c.refused}
			c.url = nil
		}
		if gzip {
			text = "gzip copy " + text
		}
		if !seen[text] {
			seen[text] = true
			out = append(out, c)
		}
	}
	bases := []*url.URL{ctl.URL}
	if ctl.Final != nil {
		bases = append(bases, ctl.Final)
	}
	listed := func(refs []string, text string, gzip bool) {
		for _, base := range bases {
			for _, ref := range refs {
				if strings.TrimSpace(ref) == "" {
					continue
				}
				u, err := resolveListed(base, ref)
				add(u, text, err, gzip)
			}
		}
	}
	listed(ctl.Header.URLs, "URL line of the control file", false)
	own := withoutSuffix(ctl.URL)
	if own != nil {
		guess = len(ctl.Header.URLs)+len(ctl.Header.ZURLs) > 0
		add(own, "", nil, false)
		guess = false
	}
	for _, m := range mirrors {
		if m = mirrorURL(m, own); m != nil {
			add(m, "", nil, false)
		}
	}
	listed(ctl.Header.ZURLs, "Z-URL line of the control file", true)
	return out
}

// withoutSuffix is u without ".zsync"; nil when it does not end so or is nil.
func withoutSuffix(u *url.URL) *url.URL {
	if u == nil {
		return nil
	}
	v := withoutUser(u)
	path, ok := strings.CutSuffix(v.Path, ".zsync")
	if !ok || path == "" || strings.HasSuffix(path, "/") {
		return nil
	}
	v.Path = path
	v.RawPath = strings.TrimSuffix(v.RawPath, ".zsync")
	return v
}

// mirrorURL is where a mirror has the target: a mirror that ends in "/" is a
// folder, in which it has the name that the control file has without ".zsync".
func mirrorURL(m, own *url.URL) *url.URL {
	if m == nil {
		return nil
	}
	m = withoutUser(m)
	if !strings.HasSuffix(m.Path, "/") {
		return m
	}
	if own == nil {
		return nil
	}
	name := own.EscapedPath()
	name = name[strings.LastIndexByte(name, '/')+1:]
	u, err := resolveReference(m, "./"+name)
	if err != nil {
		return nil
	}
	return u
}
