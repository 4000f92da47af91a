//go:build linux

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/webserver"
)

// client is one zsync.
type client struct {
	name string
	cmd  func(t *testing.T, dir string, args ...string) *exec.Cmd
}

// clients are ours and the 0.6.2 of the system; the test is skipped without that.
func clients(t *testing.T) []client {
	t.Helper()
	old := oldZsync(t)
	return []client{{"ours", ours}, {"0.6.2", func(_ *testing.T, dir string, args ...string) *exec.Cmd {
		cmd := exec.Command(old, args...)
		cmd.Dir = dir
		return cmd
	}}}
}

// sizes are around the borders of blocks of b bytes.
func sizes(b int) []int { return []int{0, 1, b - 1, b, b + 1, 10*b + 7, 1_000_000} }

// Each zsync reads the files of each zsyncmake, and both verify the whole.
func TestInterop(t *testing.T) {
	all := clients(t)
	for name, maker := range makers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := maker(t)
			root := folder(t)
			s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: root})
			for _, b := range []int{512, 2048, 65536} {
				for _, n := range sizes(b) {
					target := noise(n, byte(b>>9))
					file := fmt.Sprintf("f%d-%d", b, n)
					write(t, filepath.Join(root, file), target)
					makeControl(t, program, root, "-b", strconv.Itoa(b), "-u", file, file)
					seed := bytes.Clone(target)
					if n > 0 {
						seed[n/2] ^= 1
					}
					for _, c := range all {
						for _, start := range []string{"nothing", "old file"} {
							if c.name == "0.6.2" && n == 0 {
								continue // it refuses empty targets
							}
							what := fmt.Sprintf("%s, %s, from %s", c.name, file, start)
							dir := folder(t)
							if start == "old file" {
								write(t, filepath.Join(dir, file), seed)
							}
							r := finish(t, c.cmd(t, dir, s.URL("/"+file+".zsync")))
							if r.code != 0 || !strings.Contains(r.stdout, "verifying download...checksum matches OK\n") {
								t.Errorf("%s: %v", what, r)
								continue
							}
							if !bytes.Equal(read(t, filepath.Join(dir, file)), target) {
								t.Errorf("%s: wrong bytes", what)
							}
						}
					}
				}
			}
		})
	}
}

// Ours reads control files that 0.6.2 and 0.7.2 made, of each kind of checksum.
func TestGolden(t *testing.T) {
	root := folder(t)
	golden := "../../format/testdata/golden"
	must(t, os.CopyFS(filepath.Join(root, "g"), os.DirFS(golden)))
	// The publisher's name of the compressed copy.
	must(t, os.Rename(filepath.Join(root, "g", "text.z.gz"), filepath.Join(root, "g", "text.dat.gz")))
	s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: root})
	target := read(t, filepath.Join(golden, "text.dat"))
	old := bytes.Clone(target)
	copy(old[30_000:], "something else")
	files, err := filepath.Glob(filepath.Join(golden, "*.zsync"))
	must(t, err)
	if len(files) < 8 {
		t.Fatalf("%q", files)
	}
	for _, path := range files {
		name := filepath.Base(path)
		for _, seed := range [][]byte{nil, old} {
			dir := folder(t)
			write(t, filepath.Join(dir, "seed"), seed)
			zsyncIn(t, dir, "-i", "seed", "-o", "made", s.URL("/g/"+name)).wants(t, 0, "checksum matches OK")
			want := target
			if gz, ok := strings.CutSuffix(name, ".0.6.2.gz.zsync"); ok {
				want = read(t, filepath.Join(golden, gz+".dat.gz")) // which it was published as
			}
			if !bytes.Equal(read(t, filepath.Join(dir, "made")), want) {
				t.Errorf("%s: wrong bytes", name)
			}
		}
	}
}

// pair is an old version and a new one.
type pair struct {
	name     string
	old, new []byte
}

// pairs are versions that differ in the ways that versions do.
func pairs() []pair {
	const n = 3 << 20
	r := rand.New(rand.NewPCG(1, 2))
	base := noise(n, 9)
	var list []pair
	add := func(name string, old, new []byte) { list = append(list, pair{name, old, new}) }
	for _, count := range []int{1, 5, 20, 50, 120, 300} {
		changed := bytes.Clone(base)
		for range count {
			copy(changed[r.IntN(n-20):], "changed in this place")
		}
		add(fmt.Sprintf("%d places changed", count), base, changed)
	}
	for _, count := range []int{1, 20, 80} {
		var put, cut []byte
		at := 0
		for i := range count {
			next := (i + 1) * (n / (count + 1))
			put = append(append(put, base[at:next]...), noise(1+r.IntN(5000), byte(i))...)
			cut = append(cut, base[at:next-1-r.IntN(5000)]...)
			at = next
		}
		add(fmt.Sprintf("%d pieces put in", count), base, append(put, base[at:]...))
		add(fmt.Sprintf("%d pieces cut out", count), base, append(cut, base[at:]...))
	}
	var moved []byte
	for _, i := range r.Perm(12) {
		moved = append(moved, base[i*n/12:(i+1)*n/12]...)
	}
	add("blocks moved", base, moved)
	repeated := bytes.Repeat(base[:50_000], 40)
	add("blocks repeated", base, repeated)
	add("repeated blocks changed", repeated, append(append(bytes.Clone(repeated[:1_000_000]), "x"...), repeated[1_000_000:]...))
	zeros := append(append(bytes.Clone(base[:n/3]), make([]byte, n/3)...), base[n/3:]...)
	add("zeros come", base, zeros)
	add("zeros go", zeros, base)
	holes := bytes.Clone(zeros)
	for i := range 30 {
		copy(holes[n/3+i*30_000:], noise(100, byte(i)))
	}
	add("data in zeros", zeros, holes)
	end := bytes.Clone(base)
	copy(end[n-1000:], noise(1000, 10))
	add("end changed", base, end)
	add("truncated", base, base[:n-12_345])
	add("appended", base, append(bytes.Clone(base), noise(12_345, 11)...))
	add("nothing alike", noise(n, 12), base)
	add("the same", base, base)
	return list
}

// On each pair ours makes the same file from as few bytes in as few requests as
// 0.6.2 or fewer.
func TestNoMoreThanOldZsync(t *testing.T) {
	all := clients(t)
	for name, maker := range makers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := maker(t)
			root := folder(t)
			s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: root})
			seen := 0
			for i, p := range pairs() {
				file := fmt.Sprintf("f%d", i)
				write(t, filepath.Join(root, file), p.new)
				makeControl(t, program, root, "-u", file, file)
				var bytesOf, requests []int64
				var logs []string
				for _, c := range all {
					dir := folder(t)
					write(t, filepath.Join(dir, "seed"), p.old)
					r := finish(t, c.cmd(t, dir, "-i", "seed", s.URL("/"+file+".zsync")))
					if r.code != 0 || !strings.Contains(r.stdout, "checksum matches OK") {
						t.Fatalf("%s: %s: %v", p.name, c.name, r)
					}
					if !bytes.Equal(read(t, filepath.Join(dir, file)), p.new) {
						t.Fatalf("%s: %s: wrong bytes", p.name, c.name)
					}
					log := s.Log(t)
					bytesOf = append(bytesOf, log[seen:].Bytes())
					requests = append(requests, int64(len(log)-seen))
					logs = append(logs, log[seen:].String())
					seen = len(log)
				}
				t.Logf("%-24s %8d bytes in %2d requests; 0.6.2: %8d bytes in %2d requests", p.name, bytesOf[0], requests[0], bytesOf[1], requests[1])
				// Where 0.6.2 finds nothing and fetches all in one range, the few blocks
				// that are missing indeed are more ranges, and so may be more requests.
				scattered := bytesOf[0] < bytesOf[1]/4
				if bytesOf[0] > bytesOf[1] || requests[0] > requests[1] && !scattered {
					t.Errorf("%s: more than 0.6.2\nours:\n%s0.6.2:\n%s", p.name, logs[0], logs[1])
				}
			}
		})
	}
}

// Both end with the same exit codes and leave the same files.
func TestSameOutcome(t *testing.T) {
	all := clients(t)
	root := folder(t)
	s := webserver.Start(t, webserver.Nginx, webserver.Options{Root: root})
	target := noise(100_000, 13)
	good := control(t, target)
	put := func(name string, data []byte) { write(t, filepath.Join(root, name), data) }
	put("t.dat", target)
	put("t.dat.zsync", good)
	put("html.zsync", []byte("<html>\n<body>no such page</body>\n</html>\n"))
	put("short.zsync", good[:300])
	put("gone.zsync", bytes.Replace(good, []byte("URL: t.dat\n"), []byte("URL: gone\n"), 1))
	sha := bytes.Index(good, []byte("SHA-1: ")) + 7
	put("wrong.zsync", append(append(bytes.Clone(good[:sha]), bytes.Repeat([]byte("0"), 40)...), good[sha+40:]...))
	old := append(bytes.Clone(target[:50_000]), noise(50_000, 14)...)
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"new", []string{"t.dat.zsync"}},
		{"update", []string{"t.dat.zsync"}},
		{"seed", []string{"-i", "seed", "t.dat.zsync"}},
		{"two seeds", []string{"-i", "seed", "-i", "nothing", "t.dat.zsync"}},
		{"other name", []string{"-o", "other", "t.dat.zsync"}},
		{"quiet", []string{"-q", "t.dat.zsync"}},
		{"kept", []string{"-k", "kept.zsync", "t.dat.zsync"}},
		{"no such page", []string{"nothing.zsync"}},
		{"web page", []string{"html.zsync"}},
		{"short", []string{"short.zsync"}},
		{"wrong digest", []string{"wrong.zsync"}},
		{"two", []string{"t.dat.zsync", "t.dat.zsync"}},
		{"no target", []string{"-o", "gone", "gone.zsync"}},
	} {
		var codes []int
		var left [][]string
		var said []string
		for _, c := range all {
			dir := folder(t)
			if strings.Contains(tt.name, "seed") {
				write(t, filepath.Join(dir, "seed"), old)
			}
			if tt.name == "update" || tt.name == "quiet" {
				write(t, filepath.Join(dir, "t.dat"), old)
			}
			args := append([]string{}, tt.args...)
			for i, a := range args {
				if strings.HasSuffix(a, ".zsync") && a != "kept.zsync" {
					args[i] = s.URL("/" + a)
				}
			}
			r := finish(t, c.cmd(t, dir, args...))
			codes = append(codes, r.code)
			// 0.6.2 keeps a .part also when there is nothing in it.
			left = append(left, slices.DeleteFunc(listed(t, dir), func(name string) bool { return name == "gone.part" }))
			said = append(said, r.String())
		}
		if codes[0] != codes[1] || !slices.Equal(left[0], left[1]) {
			t.Errorf("%s: exit code %d and %q, with 0.6.2 %d and %q\nours: %s\n0.6.2: %s", tt.name,
				codes[0], left[0], codes[1], left[1], said[0], said[1])
		}
	}
}
