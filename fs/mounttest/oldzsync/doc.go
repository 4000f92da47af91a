// Package oldzsync finds the zsync and zsyncmake of Colin Phipps, 0.6.x, which
// tests and measurements hold this project's programs against. These have the
// same names, and once installed may well come first on the PATH: so every
// program of the name is asked for its version, and the others are passed over.
//
// It is a test-only package (as everything below fs/mounttest), but it does not
// import testing. It imports nothing of the project.
package oldzsync
