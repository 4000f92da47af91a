// Package access is how a command reaches what it was told of on its command
// line: what is a URL (IsURL, ParseURL), headers as they are typed
// (ParseHeader), control files given as a path (ReadControl), and, for programs
// that hand all of it to another process, Access.
//
// Errors never show what may be a password or a token: neither a URL with a
// login or its query, nor a header.
//
// Of the project it imports signals and zsyncclient. It holds no state, and is safe for
// concurrent use.
package access
