// Package manpage turns what a program says of itself into a manual page: the text of
// its help and the definitions of its flags are the source, so that the two never say
// different things.
//
// Help text is made of paragraphs between empty lines. Lines that begin at the margin
// are running text; "  -x, --long VALUE  what it does" and "    0  what it means" are
// items of a list, whose text goes on in lines that are indented further; other
// indented lines are shown as they are. A line that ends with a colon before items is
// their heading.
//
// The output is roff with the macros of man(7). It imports nothing of the project, and
// functions hold no state.
package manpage
