package report

import (
	"errors"
	"strings"

	"github.com/spf13/pflag"
)

// FlagHint is advice on an error of parsing flags: the nearest flag there is,
// or how to see them all.
func FlagHint(program string, flags *pflag.FlagSet, err error) string {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var names []string
		flags.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		if near := Nearest(strings.TrimLeft(unknown.GetSpecifiedName(), "-"), names); near != "" {
			return "did you mean \"--" + near + "\"?"
		}
	}
	return "\"" + program + " --help\" lists the flags"
}

// Nearest is the name that word was most likely meant to be, or "" when none
// is near: one that it begins, or one that is two edits away, or a third of its
// length. Of several that are as near, one with the same first letter goes before.
func Nearest(word string, names []string) string {
	if word == "" {
		return ""
	}
	best, bestDistance := "", min(max(2, len(word)/3), len(word)-1)+1
	sameStart := func(name string) bool { return name != "" && name[0] == word[0] }
	for _, name := range names {
		d := editDistance(word, name)
		if strings.HasPrefix(name, word) {
			d = 1
		}
		if d < bestDistance || d == bestDistance && best != "" && sameStart(name) && !sameStart(best) {
			best, bestDistance = name, d
		}
	}
	return best
}

// editDistance is the least number of bytes to insert, delete or replace to
// turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(diagonal+cost, row[j]+1, row[j+1]+1)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
