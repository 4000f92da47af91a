package readcheck

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestMain(m *testing.M) {
	RunChild()
	os.Exit(m.Run())
}

func write(t *testing.T, data []byte) string {
	t.Helper()
	// Not in t.TempDir: that may be on a tmpfs without O_DIRECT.
	dir, err := os.MkdirTemp("/var/tmp", "readcheck-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestChecks(t *testing.T) {
	data := bytes.Repeat([]byte("some content that is long enough\n"), 30_000)
	changed := bytes.Clone(data)
	changed[len(changed)-2]++
	for _, tt := range []struct {
		name      string
		got, want []byte
		ok        bool
	}{
		{"equal", data, data, true},
		{"one byte", data[:1], data[:1], true},
		{"empty", nil, nil, true},
		{"changed", changed, data, false},
		{"short", data[:len(data)-1], data, false},
		{"long", append(bytes.Clone(data), 0), data, false},
	} {
		p := Pair{write(t, tt.got), write(t, tt.want)}
		for _, c := range append(All, Check{"whole", Whole}) {
			if c.Name == "random" && tt.name == "changed" {
				continue // it need not hit the byte
			}
			if err := c.Run(p); (err == nil) != tt.ok {
				t.Errorf("%s, %s: %v", tt.name, c.Name, err)
			}
		}
		if err := DropPages(p.Got); err != nil {
			t.Error(err)
		}
	}
}
