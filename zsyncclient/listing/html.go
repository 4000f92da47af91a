package listing

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// pageMarks is what an HTML page shows of its nature, besides its entries.
type pageMarks struct {
	children int  // links to anything one level below
	login    bool // a password field, or a form sent by POST
	index    bool // it calls itself an index, orders columns, or leads to "../"
}

func parseHTML(c *collector, body io.Reader) error {
	z := html.NewTokenizer(body)
	var (
		marks   pageMarks
		heading int // > 0: how many letters of a title or heading are still wanted
		text    []byte
		based   bool
	)
	for {
		switch z.Next() {
		case html.ErrorToken:
			if err := z.Err(); err != io.EOF {
				return fmt.Errorf("listing: %w", err)
			}
			return marks.verdict(c)
		case html.TextToken:
			if heading > 0 {
				t := z.Text()
				text = append(text, t[:min(len(t), heading)]...)
				heading -= min(len(t), heading)
				marks.index = marks.index || isIndexTitle(text)
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			tag, attrs := startTag(z)
			switch tag {
			case atom.Title, atom.H1, atom.H2:
				heading, text = 200, text[:0]
			case atom.Base:
				// The first <base> that has a href holds.
				if !based && attrs["href"] != "" {
					based = true
					c.rebase(attrs["href"])
				}
			case atom.A:
				if err := marks.link(c, attrs["href"]); err != nil {
					return err
				}
			case atom.Input:
				marks.login = marks.login || strings.EqualFold(attrs["type"], "password")
			case atom.Form:
				marks.login = marks.login || strings.EqualFold(attrs["method"], "post")
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			switch atom.Lookup(name) {
			case atom.Title, atom.H1, atom.H2:
				heading = 0
			}
		}
	}
}

// startTag is the current tag with the first of each attribute that matters.
func startTag(z *html.Tokenizer) (atom.Atom, map[string]string) {
	name, more := z.TagName()
	tag := atom.Lookup(name)
	var attrs map[string]string
	for more {
		var key, val []byte
		key, val, more = z.TagAttr()
		switch k := string(key); k {
		case "href", "type", "method":
			if attrs == nil {
				attrs = make(map[string]string, 2)
			}
			if _, seen := attrs[k]; !seen {
				attrs[k] = string(val)
			}
		}
	}
	return tag, attrs
}

// link takes the href of one <a>.
func (m *pageMarks) link(c *collector, href string) error {
	href = strings.TrimSpace(href)
	switch {
	case href == "":
		return nil
	case href == "../" || href == "..":
		m.index = true
		return nil
	case strings.HasPrefix(href, "?"):
		m.index = m.index || ordersColumns(href[1:])
		return nil
	}
	ref, name, isDir, ok := c.child(href)
	if !ok {
		return nil
	}
	m.children++
	if isDir {
		ref.RawQuery, ref.ForceQuery = "", false
	}
	return c.add(name, isDir, func() *url.URL { return resolve(c.base.url, ref) })
}

// verdict applies the rule that the package's doc gives.
func (m *pageMarks) verdict(c *collector) error {
	switch {
	case len(c.files) > 0:
		return nil
	case m.login:
		return fmt.Errorf("%w: it asks to log in", ErrNotListing)
	case m.children > 0 || m.index:
		return nil
	}
	return fmt.Errorf("%w: it has no link to anything in the directory", ErrNotListing)
}

// ordersColumns knows the queries by which servers sort their listings: Apache's
// C and O (separated by ";"), Caddy's sort and order.
func ordersColumns(query string) bool {
	q, err := url.ParseQuery(strings.ReplaceAll(query, ";", "&"))
	if err != nil {
		return false
	}
	return q.Has("C") && q.Has("O") || q.Has("sort") && q.Has("order")
}

func isIndexTitle(text []byte) bool {
	t := strings.ToLower(strings.Join(strings.Fields(string(text)), " "))
	for _, start := range []string{"index of ", "directory listing for ", "directory listing of ", "directory: "} {
		// Fields drops the space at the end, where the text is cut.
		if strings.HasPrefix(t+" ", start) {
			return true
		}
	}
	return false
}
