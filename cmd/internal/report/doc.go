// Package report is how the commands tell what went wrong: one "error:" line, a
// "hint:" line where there is advice, and an exit code.
//
//	zsyncmake: error: open /srv/x.iso: permission denied
//	zsyncmake: hint: check who owns the file
//
// Terms: a Program is one command with its name and its table of Translations,
// which is the one place where errors become exit codes. WithCode and WithHint
// say on the spot what no table can know. Printable makes text of strangers,
// such as names and header values, safe to print.
//
// Nothing here holds state; everything is safe for concurrent use. It imports
// nothing of the project.
package report
