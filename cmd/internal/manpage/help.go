package manpage

import (
	"regexp"
	"strings"
)

// item is "  -x, --long VALUE  text": its indentation, name and text, which may be in
// the lines that follow.
var (
	item   = regexp.MustCompile(`^( {2,6})(\S.*?) {2,}(\S.*)$`)
	option = regexp.MustCompile(`^( {2,6})(-\S.*)$`)
)

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// help writes help text.
func (r *roff) help(text string) {
	for _, block := range regexp.MustCompile(`\n\s*\n`).Split(strings.Trim(text, "\n"), -1) {
		r.block(strings.Split(block, "\n"))
	}
}

// block writes what stands between empty lines.
func (r *roff) block(lines []string) {
	for i := 0; i < len(lines); {
		n := 1
		switch {
		case isItem(lines[i]) && (indent(lines[i]) < 4 || listed(lines[i])):
			for i+n < len(lines) && indent(lines[i+n]) > indent(lines[i]) && !isItem(lines[i+n]) {
				n++
			}
			r.item(lines[i : i+n])
		case indent(lines[i]) > 0:
			for i+n < len(lines) && indent(lines[i+n]) > 0 {
				n++
			}
			r.verbatim(lines[i : i+n])
		case strings.HasSuffix(lines[i], ":") && i+1 < len(lines) && isItem(lines[i+1]):
			r.macro(".SS", strings.TrimSuffix(lines[i], ":"))
		default:
			for i+n < len(lines) && indent(lines[i+n]) == 0 {
				n++
			}
			r.raw(".PP")
			for _, l := range lines[i : i+n] {
				r.line(l)
			}
		}
		i += n
	}
}

func isItem(line string) bool { return item.MatchString(line) || option.MatchString(line) }

// listed says whether an item is an option or a number, which may be indented more.
func listed(line string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	return strings.HasPrefix(word, "-") || word != "" && strings.Trim(word, "0123456789") == ""
}

// item writes one item of a list.
func (r *roff) item(lines []string) {
	name, text := strings.TrimSpace(lines[0]), ""
	if m := item.FindStringSubmatch(lines[0]); m != nil {
		name, text = m[2], m[3]
	}
	r.raw(".TP")
	r.bold(name)
	if text != "" {
		r.line(text)
	}
	for _, l := range lines[1:] {
		r.line(strings.TrimSpace(l))
	}
}
