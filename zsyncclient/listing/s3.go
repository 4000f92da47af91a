package listing

import (
	"encoding/xml"
	"net/url"
	"strings"
)

// s3Page is what a ListBucketResult says, beside its keys. Keys come in the
// order of the document, and Prefix and EncodingType may follow them, so all is
// read before anything is judged.
type s3Page struct {
	prefix, encoding string
	truncated        bool
	token, marker    string
	keys, prefixes   []string
}

func parseS3(c *collector, dec *xml.Decoder) error {
	var p s3Page
	if err := walkXML(dec, p.leaf); err != nil {
		return err
	}
	decode := func(s string) (string, bool) { return s, true }
	if strings.EqualFold(p.encoding, "url") {
		// S3 escapes as in a form: a space is "+".
		decode = func(s string) (string, bool) {
			d, err := url.QueryUnescape(s)
			return d, err == nil
		}
	}
	prefix, ok := decode(p.prefix)
	if !ok {
		prefix = p.prefix
	}
	// "isos/ubuntu-" lists part of the directory "isos/".
	dir := prefix[:strings.LastIndexByte(prefix, '/')+1]
	for _, raw := range append(p.keys, p.prefixes...) {
		key, ok := decode(raw)
		if !ok {
			continue
		}
		if err := c.addKey(dir, key); err != nil {
			return err
		}
	}
	if p.truncated {
		c.next = c.nextPage(&p, decode)
	}
	return nil
}

func (p *s3Page) leaf(path []string, text string) error {
	if len(p.keys)+len(p.prefixes) > MaxEntries {
		return errEntries
	}
	switch strings.Join(path, "/") {
	case "Prefix":
		p.prefix = text
	case "EncodingType":
		p.encoding = text
	case "IsTruncated":
		p.truncated = strings.TrimSpace(text) == "true"
	case "NextContinuationToken":
		p.token = text
	case "NextMarker":
		p.marker = text
	case "Contents/Key":
		p.keys = append(p.keys, text)
	case "CommonPrefixes/Prefix":
		p.prefixes = append(p.prefixes, text)
	}
	return nil
}

// addKey takes one key or common prefix. A key with further slashes, which comes
// when the server was asked for no delimiter, stands for its directory.
func (c *collector) addKey(dir, key string) error {
	rest, ok := strings.CutPrefix(key, dir)
	if !ok || strings.ContainsRune(key, '\uFFFD') {
		return nil
	}
	name, _, isDir := strings.Cut(rest, "/")
	if _, ok := cleanName(name, isDir); !ok {
		return nil
	}
	if isDir {
		return c.add(name, true, func() *url.URL { return c.prefixURL(dir + name + "/") })
	}
	return c.add(name, false, func() *url.URL { return c.objectURL(key) })
}

// objectURL is the bucket's root, which is the path of the listing itself, with
// the key below it.
func (c *collector) objectURL(key string) *url.URL {
	u := *c.final
	u.RawQuery, u.ForceQuery = "", false
	p := strings.TrimSuffix(u.EscapedPath(), "/")
	for e := range strings.SplitSeq(key, "/") {
		p += "/" + escapeElement(e)
	}
	setEscapedPath(&u, p)
	return &u
}

// prefixURL is the listing of one prefix. Other parameters of the page's own
// URL are kept, such as the token of a gateway.
func (c *collector) prefixURL(prefix string) *url.URL {
	return c.withQuery(func(q url.Values) {
		q.Set("list-type", "2")
		q.Set("prefix", prefix)
		q.Set("delimiter", "/")
		q.Del("start-after")
	})
}

// nextPage goes on by version 2's token, or by version 1's marker: NextMarker,
// else the last key of the page.
func (c *collector) nextPage(p *s3Page, decode func(string) (string, bool)) *url.URL {
	if p.token != "" {
		return c.withQuery(func(q url.Values) {
			q.Set("list-type", "2")
			q.Set("continuation-token", p.token)
		})
	}
	last := p.marker
	for _, group := range [][]string{p.keys, p.prefixes} {
		if p.marker == "" && len(group) > 0 {
			last = max(last, group[len(group)-1])
		}
	}
	last, ok := decode(last)
	if !ok || last == "" || last == c.final.Query().Get("marker") {
		return nil
	}
	return c.withQuery(func(q url.Values) { q.Set("marker", last) })
}

func (c *collector) withQuery(change func(url.Values)) *url.URL {
	u := *c.final
	q := u.Query()
	q.Del("continuation-token")
	q.Del("marker")
	change(q)
	u.RawQuery = q.Encode()
	return &u
}
