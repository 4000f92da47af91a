package listing

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// jsonEntry has the fields of nginx (name, type) and of Caddy (name, url,
// is_dir) that matter.
type jsonEntry struct {
	Name  *string `json:"name"`
	Type  *string `json:"type"`
	URL   string  `json:"url"`
	IsDir *bool   `json:"is_dir"`
}

func parseJSON(c *collector, body io.Reader) error {
	dec := json.NewDecoder(body)
	start, err := dec.Token()
	if err != nil {
		return fmt.Errorf("%w: JSON: %w", ErrNotListing, err)
	}
	if start == nil {
		return nil // null: a Caddy without entries
	}
	if start != json.Delim('[') {
		return fmt.Errorf("%w: the JSON is no array", ErrNotListing)
	}
	for dec.More() {
		var e jsonEntry
		if err := dec.Decode(&e); err != nil {
			return fmt.Errorf("%w: JSON: %w", ErrNotListing, err)
		}
		if err := c.addJSON(e); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("%w: JSON: %w", ErrNotListing, err)
	}
	return nil
}

func (c *collector) addJSON(e jsonEntry) error {
	if e.Name == nil || (e.Type == nil && e.IsDir == nil) {
		return fmt.Errorf("%w: the JSON has not the fields of nginx or Caddy", ErrNotListing)
	}
	if e.Type != nil {
		return c.addName(*e.Name, *e.Type == "directory")
	}
	if e.URL == "" {
		return c.addName(strings.TrimSuffix(*e.Name, "/"), *e.IsDir)
	}
	ref, name, isDir, ok := c.child(e.URL)
	if !ok || isDir != *e.IsDir {
		return nil
	}
	return c.add(name, isDir, func() *url.URL { return resolve(c.base.url, ref) })
}

// addName takes an entry that came as a name. One with U+FFFD is left out: the
// decoder put it in the place of bytes that are lost, so the URL is unknown.
func (c *collector) addName(name string, isDir bool) error {
	if strings.ContainsRune(name, '\uFFFD') {
		return nil
	}
	if _, ok := cleanName(name, isDir); !ok {
		return nil
	}
	return c.add(name, isDir, func() *url.URL { return below(c.final, name, isDir) })
}
