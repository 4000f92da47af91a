package readcheck

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
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

// TestOracle: it reads in every way, sees a wrong byte in each, and counts what fails.
func TestOracle(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
	right := write(t, data)
	same := Pair{write(t, data), right}
	short := Pair{write(t, data[:len(data)/2]), right}
	bad := bytes.Clone(data)
	for i := 4096; i < len(bad); i += 8192 {
		bad[i] ^= 1
	}
	for _, c := range []struct {
		name          string
		pair          Pair
		wrong, failed bool
	}{
		{"the same", same, false, false},
		{"wrong bytes", Pair{write(t, bad), right}, true, false},
		{"too short", short, false, true},
		{"not there", Pair{filepath.Join(t.TempDir(), "none"), right}, false, true},
	} {
		o, err := StartOracle(OracleOptions{Pairs: []Pair{c.pair}, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond) // it reads meanwhile, as often as it comes to it
		r, err := o.Stop(time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if (len(r.Wrong) > 0) != c.wrong || (r.Failed > 0) != c.failed || r.Reads == 0 {
			t.Errorf("%s: %+v", c.name, r)
		}
		for _, w := range ways {
			if c.pair == same && r.Ways[w.name] == 0 {
				t.Errorf("%s: nothing was read by %s: %+v", c.name, w.name, r)
			}
		}
	}
}
