// Package making makes the control file of a file on this machine.
//
// It is what zsyncmake, "zsyncfs make" and "zsyncfs serve" share: reading a file
// that may change under the reader (Feed, and FeedStream for what is no file),
// telling one state of a file from another (Fingerprint), writing the control
// file so that nobody sees half of one (Save), and the relative URL that leads
// from a control file to a target beside it.
//
// Reading goes on in a goroutine while the checksums of what was read are
// computed. It ends with the call that started it, but for FeedStream's when its
// stream blocks.
//
// What systems tell of a file differs; that is in the files with build
// constraints, and Fingerprint says what is missing where.
//
// It may import format and nothing else of the project. Nothing here prints.
package making
