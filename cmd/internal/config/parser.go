package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// trimmed is a message of the TOML library without its name.
func trimmed(message string) string { return strings.TrimPrefix(message, "toml: ") }

// parser walks through a document that is good TOML.
type parser struct {
	file *File
	toml unstable.Parser
	errs []error
}

// word is one part of a key.
type word struct {
	text string
	Position
}

func (p *parser) fail(at Position, format string, args ...any) {
	p.errs = append(p.errs, p.file.At(at, fmt.Errorf(format, args...)))
}

func (p *parser) parse(text []byte) {
	p.toml.Reset(text)
	var table []word
	for p.toml.NextExpression() {
		switch e := p.toml.Expression(); e.Kind {
		case unstable.Table:
			table = p.words(e.Key())
			p.openTable(table)
		case unstable.ArrayTable:
			table = p.words(e.Key())
			p.fail(table[0].Position, "[[%s]]: tables with two brackets have no meaning here", joined(table))
		case unstable.KeyValue:
			p.value(append(slices.Clip(table), p.words(e.Key())...), e.Value())
		}
	}
	if err := p.toml.Error(); err != nil {
		p.fail(Position{1, 1}, "%w", err)
	}
}

// words are the parts of a key, with the place of each.
func (p *parser) words(it unstable.Iterator) []word {
	var out []word
	for it.Next() {
		n := it.Node()
		at := p.toml.Shape(n.Raw).Start
		out = append(out, word{text: string(n.Data), Position: Position{at.Line, at.Column}})
	}
	return out
}

// openTable notes an archive that has no settings, perhaps.
func (p *parser) openTable(key []word) {
	switch {
	case key[0].text != "archive" || len(key) > 2:
		p.fail(key[0].Position, "[%s]: the tables here are called [archive.NAME]", joined(key))
	case len(key) == 2:
		p.archive(key[1])
	}
}

// value takes the value of a key: a setting's, or a table of them in braces.
func (p *parser) value(key []word, v *unstable.Node) {
	last := key[len(key)-1]
	inArchive := key[0].text == "archive"
	switch {
	case v.Kind == unstable.InlineTable && inArchive && len(key) < 3:
		p.openTable(key)
		for it := v.Children(); it.Next(); {
			p.value(append(slices.Clip(key), p.words(it.Node().Key())...), it.Node().Value())
		}
	case inArchive && len(key) == 3:
		if a := p.archive(key[1]); a != nil {
			a.Settings = p.setting(a.Settings, last, v)
		}
	case !inArchive && len(key) == 1:
		p.file.Settings = p.setting(p.file.Settings, last, v)
	case inArchive && len(key) < 3:
		p.fail(last.Position, "%s is a table: [archive.NAME]", joined(key))
	case !tableFailed(p.errs, key[0].Position): // its header was reported
		p.fail(key[0].Position, "%s: settings stand by themselves, or in a table [archive.NAME]", joined(key))
	}
}

// tableFailed says whether something was reported of that place.
func tableFailed(errs []error, at Position) bool {
	return slices.ContainsFunc(errs, func(err error) bool {
		var e *Error
		return errors.As(err, &e) && e.Position == at
	})
}

// archive is the archive of that name, which is new perhaps; nil when it cannot be
// called so.
func (p *parser) archive(name word) *Archive {
	if a := p.file.Archive(name.text); a != nil {
		return a
	}
	if !archiveName.MatchString(name.text) {
		if !tableFailed(p.errs, name.Position) {
			p.fail(name.Position, "an archive cannot be called %q: letters, digits, and . _ + - behind the first are allowed", name.text)
		}
		return nil
	}
	p.file.Archives = append(p.file.Archives, Archive{Name: name.text, Position: name.Position})
	return &p.file.Archives[len(p.file.Archives)-1]
}

// setting is list with one more, unless its value is none.
func (p *parser) setting(list []Setting, name word, v *unstable.Node) []Setting {
	s := Setting{Name: name.text, Position: name.Position, Array: v.Kind == unstable.Array}
	nodes := []*unstable.Node{v}
	if s.Array {
		nodes = nil
		for it := v.Children(); it.Next(); {
			nodes = append(nodes, it.Node())
		}
	}
	for _, n := range nodes {
		switch n.Kind {
		case unstable.String, unstable.Bool, unstable.Float:
			s.Values = append(s.Values, string(n.Data))
		case unstable.Integer:
			s.Values = append(s.Values, strings.ReplaceAll(string(n.Data), "_", ""))
		default:
			p.fail(name.Position, "%s: a value is text, a number, true or false, or an array of these", name.text)
			return list
		}
	}
	return append(list, s)
}

// joined is a key as it is written.
func joined(key []word) string {
	var parts []string
	for _, w := range key {
		parts = append(parts, w.text)
	}
	return strings.Join(parts, ".")
}
