package target

import (
	"os"
	"path/filepath"
	"testing"
)

// rot flips a bit of every version's data in the closed store at dir.
func rot(t *testing.T, dir string, off int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "versions", "*", "data"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no data files: %v", err)
	}
	for _, name := range files {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 1)
		if _, err := f.ReadAt(p, off); err != nil {
			t.Fatal(err)
		}
		p[0] ^= 4
		if _, err := f.WriteAt(p, off); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}
