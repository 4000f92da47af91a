package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

// TestCommitted makes the kernels and compares them with what is committed.
func TestCommitted(t *testing.T) {
	const code, stubs = "kernels_amd64.s", "kernels_amd64.go"
	dir := t.TempDir()
	for name, value := range map[string]string{
		"out":   filepath.Join(dir, code),
		"stubs": filepath.Join(dir, stubs),
		"pkg":   "checksum",
	} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	main()
	for _, name := range []string{code, stubs} {
		if !bytes.Equal(body(t, filepath.Join(dir, name)), body(t, filepath.Join("..", "..", name))) {
			t.Errorf("%s is not what the generator makes: run go generate", name)
		}
	}
}

// body is a file without its first line, which names the command.
func body(t *testing.T, path string) []byte {
	all, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(all, []byte("\n"))
	return rest
}
