package commandline

import (
	"os"
	"slices"
	"strings"
)

// Take gives the arguments of this process, without the program, and hides what is
// secret in them. The values of flags are ("--user", or "-A" for a short one), and parts
// of URLs anywhere. os.Args then has what others see.
func Take(flags ...string) []string {
	args := make([]string, len(os.Args))
	for i, a := range os.Args {
		args[i] = strings.Clone(a) // the original is the memory that others see
	}
	if shown := masked(args, flags); !slices.Equal(shown, args) {
		replace(args, shown)
	}
	if len(args) == 0 {
		return nil
	}
	return args[1:]
}

// masked is args with an x for each secret byte.
func masked(args, flags []string) []string {
	out := make([]string, len(args))
	secret := false // the next one is a flag's value
	for i, a := range args {
		n, next := secretFrom(a, flags)
		switch {
		case i == 0:
			out[i] = a
		case secret:
			out[i] = crossed(a)
			next = false
		case n > 0:
			out[i] = a[:n] + crossed(a[n:])
		default:
			out[i] = maskURL(a)
		}
		secret = next
	}
	return out
}

// secretFrom says where the value of a secret flag begins in an argument, 0 for
// nowhere, and whether it is the next argument.
func secretFrom(arg string, flags []string) (at int, next bool) {
	for _, flag := range flags {
		if strings.HasPrefix(flag, "--") {
			if arg == flag {
				return 0, true
			}
			if strings.HasPrefix(arg, flag+"=") {
				return len(flag) + 1, false
			}
			continue
		}
		// Short flags may stand together, and the value right behind them.
		if i := strings.Index(arg, flag[1:]); i > 0 && arg[0] == '-' && isLetters(arg[1:i]) {
			if i+1 == len(arg) {
				return 0, true
			}
			return i + 1, false
		}
	}
	return 0, false
}

func isLetters(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return (r|0x20) < 'a' || (r|0x20) > 'z' })
}

// maskURL hides the login and the query of a URL in text.
func maskURL(text string) string {
	at := strings.Index(text, "://")
	if at < 0 {
		return text
	}
	at += len("://")
	if host := strings.LastIndexByte(text[:at+untilAny(text[at:], "/?#")], '@'); host > at {
		text = text[:at] + crossed(text[at:host]) + text[host:]
	}
	if query := strings.IndexByte(text, '?'); query >= at {
		text = text[:query+1] + crossed(text[query+1:])
	}
	return text
}

// untilAny is the length of what is before the first of these bytes.
func untilAny(s, bytes string) int {
	if i := strings.IndexAny(s, bytes); i >= 0 {
		return i
	}
	return len(s)
}

func crossed(s string) string { return strings.Repeat("x", len(s)) }
