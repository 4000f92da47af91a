// Package making makes the control file of a file on this machine.
//
// It is what "zsyncfs make" and "zsyncfs serve" share: reading a file that may
// change under the reader, telling one state of a file from another
// (Fingerprint), writing the control file so that nobody sees half of one, and
// the relative URL that leads from a control file to a target beside it.
//
// It may import format and nothing else of the project. Nothing here prints.
package making
