// Package commandline takes the arguments of a program and hides what is secret among
// them from the list of processes, which everybody may read: passwords, headers, what
// a URL has before its host or in its query.
//
// They can be seen for the moment until the program has begun. On other systems than
// Linux they stay where they are.
//
// It imports nothing of the project. Take is called once, before anything else.
package commandline
