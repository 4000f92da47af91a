package listing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// ParseIndex reads an index file: one URL (absolute, or relative to base, which
// may be nil) in each line. Empty lines and lines that start with "#" are
// skipped, and so is every URL whose path does not end in ".zsync": the output
// of a crawler will do. The names are the URLs' last path elements.
//
// Errors name the line: a URL that cannot be read, is not http or https, is
// relative without a base, holds a user name or password (they belong in the
// options), or whose name another URL has already. ErrNotListing when no line
// is left, or base is too long; ErrTooMany, by the URLs of all lines; the cause of
// ctx's end.
func ParseIndex(ctx context.Context, base *url.URL, body []byte) (*Listing, error) {
	if base != nil && !isBase(base) {
		return nil, fmt.Errorf("index file: %w", errBase)
	}
	files, made := map[string]string{}, 0
	number, text := 0, strings.TrimPrefix(string(body), "\ufeff")
	for line := range strings.Lines(text) {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("index file: %w", context.Cause(ctx))
		}
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		u, name, err := indexLine(base, line)
		if err != nil {
			return nil, fmt.Errorf("index file: line %d: %w", number, err)
		}
		if u == nil {
			continue
		}
		target := u.String()
		if made += len(target); made > MaxURLBytes {
			return nil, fmt.Errorf("index file: %w", errURLBytes)
		}
		if old, seen := files[name]; seen && old != target {
			return nil, fmt.Errorf("index file: line %d: the name %q is taken by an earlier line", number, name)
		}
		if len(files) >= MaxEntries {
			return nil, fmt.Errorf("index file: %w", errEntries)
		}
		files[strings.Clone(name)] = target
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("index file: %w: no line is the URL of a %s file", ErrNotListing, Suffix)
	}
	return &Listing{Files: entries(files), Dirs: []Entry{}}, nil
}

// indexLine reads one line; a nil URL means that it is no control file's.
func indexLine(base *url.URL, line string) (*url.URL, string, error) {
	line, _, _ = strings.Cut(line, "#")
	ref, err := url.Parse(repairPercent(line))
	if err != nil {
		return nil, "", errors.New("not a URL")
	}
	path := ref.EscapedPath()
	name, err := url.PathUnescape(path[strings.LastIndexByte(path, '/')+1:])
	if err != nil || ref.Opaque != "" || !strings.HasSuffix(name, Suffix) {
		return nil, "", nil
	}
	if ref.User != nil {
		return nil, "", errors.New("a URL with a user name: give it as an option")
	}
	name, ok := cleanName(name, false)
	if !ok || len(line) > MaxURLLength {
		return nil, "", fmt.Errorf("a name that cannot be shown, or too long: %.200q", line)
	}
	u := ref
	if base != nil {
		u = resolve(base, ref)
	}
	if !isWeb(u) {
		return nil, "", fmt.Errorf("neither http nor https: %.200q", line)
	}
	if len(u.String()) > MaxURLLength {
		return nil, "", fmt.Errorf("a URL that is too long: %.200q", line)
	}
	return u, name, nil
}
