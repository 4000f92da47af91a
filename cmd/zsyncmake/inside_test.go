package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
)

// lines are n bytes that gzip compresses well.
func lines(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d %x\n", i*i, i%977)
	}
	return b.Bytes()[:n]
}

// gzipProgram is the output of gzip(1) with those options and stdin.
func gzipProgram(t *testing.T, data []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("gzip", append([]string{"-c"}, args...)...)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Skip("no gzip(1) to try with: ", err)
	}
	return out
}

func writeFiles(t *testing.T, files map[string][]byte) {
	t.Helper()
	for path, data := range files {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, sampleTime, sampleTime); err != nil {
			t.Fatal(err)
		}
	}
}

// namedGzip is a gzip file that gzip(1) makes of a file called inner.
func namedGzip(t *testing.T, data []byte, args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "inner"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("gzip", append(append([]string{"-c"}, args...), "inner")...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Skip("no gzip(1) to try with: ", err)
	}
	return out
}

// gzipFiles are files for zsyncmake to look into.
func gzipFiles(t *testing.T) map[string][]byte {
	t.Helper()
	data := lines(300_000)
	plain := gzipProgram(t, data, "-n")
	bad := bytes.Clone(plain)
	bad[len(bad)-6] ^= 1
	var extra bytes.Buffer
	z := gzip.NewWriter(&extra)
	z.Comment = "c"
	z.Write(data)
	z.Close()
	var other bytes.Buffer
	z, _ = gzip.NewWriterLevel(&other, gzip.HuffmanOnly)
	z.Write(data)
	z.Close()
	return map[string][]byte{
		"best.gz": gzipProgram(t, data, "-n", "--best"), "plain.tar.gz": plain, "rs.tgz": gzipProgram(t, data, "-n", "--rsync"),
		"rsbest.gz": gzipProgram(t, data, "-n", "--rsync", "--best"), "name.gz": namedGzip(t, data, "-9"), "six.gz": namedGzip(t, data), "x.GZ": namedGzip(t, data, "-9"),
		"noext": gzipProgram(t, data, "-n", "-9"), "plain9.tar.gz": gzipProgram(t, data, "-n", "-9"), "short.gz": gzipProgram(t, []byte("abc"), "-n"), "named-short.gz": namedGzip(t, []byte("abc")),
		"mixed.gz": gzipProgram(t, append(noise(50_000), data...), "-n", "-9"), "other.gz": other.Bytes(), "full.gz": gzipProgram(t, lines(20_480), "-n", "-9"), "one.gz": gzipProgram(t, bytes.Repeat([]byte("ab c"), 8000), "-n", "-9"), "zero.gz": gzipProgram(t, make([]byte, 2<<20), "-n", "-9"),
		"two.gz": append(bytes.Clone(plain), plain...), "trail.gz": append(bytes.Clone(plain), 0), "bad.gz": bad, "cut.gz": plain[:len(plain)-5],
		"half.gz": plain[:len(plain)/2], "comment.gz": extra.Bytes(), "empty.gz": gzipProgram(t, nil, "-n"), "notgz": {0x1f, 0x8b, 7}, "head": {0x1f, 0x8b},
		"fast.gz": gzipProgram(t, data, "-n", "-1"),
	}
}

// With --compat=0.6.2 what is inside a gzip file is described as 0.6.2 does it.
func TestSameAsOldMakerInside(t *testing.T) {
	old := oldMaker(t)
	t.Chdir(t.TempDir())
	writeFiles(t, gzipFiles(t))
	writeFiles(t, map[string][]byte{"name": []byte("something")})
	for _, tt := range []struct {
		args    []string
		control string
	}{
		{[]string{"best.gz"}, "best.zsync"},
		{[]string{"-C", "plain.tar.gz"}, "plain.tar.zsync"},
		{[]string{"rs.tgz"}, "rs.tar.zsync"},
		{[]string{"name.gz"}, "name.zsync"},
		{[]string{"x.GZ"}, "x.GZ.zsync"},
		{[]string{"noext"}, "noext.zsync"},
		{[]string{"-u", "u", "plain9.tar.gz"}, "plain9.tar.zsync"},
		{[]string{"-f", "q.gz", "best.gz"}, "q.zsync"},
		{[]string{"-f", "q", "best.gz"}, "q.zsync"},
		{[]string{"-o", "out", "-u", "u1", "-U", "U1", "-u", "u2", "-U", "U2", "best.gz"}, "out"},
		{[]string{"-C", "best.gz"}, "best.zsync"},
		{[]string{"-e", "best.gz"}, "best.zsync"},
		{[]string{"short.gz"}, "short.zsync"},
		{[]string{"named-short.gz"}, "named-short.zsync"},
		{[]string{"mixed.gz"}, "mixed.zsync"},
		{[]string{"other.gz"}, "other.zsync"},
		{[]string{"-b", "512", "best.gz"}, "best.zsync"},
		{[]string{"-b", "4096", "plain9.tar.gz"}, "plain9.tar.zsync"},
		{[]string{"zero.gz"}, "zero.zsync"},
		{[]string{"full.gz"}, "full.zsync"},
		{[]string{"-b", "262144", "-u", "u", "one.gz"}, "one.zsync"},
		{[]string{"fast.gz"}, "fast.zsync"},
		{[]string{"-Z", "two.gz"}, "two.gz.zsync"},
	} {
		both(t, old, tt.control, nil, tt.args...)
	}
}

// The golden files of 0.6.2 come out of their gzip files.
func TestGoldenInside(t *testing.T) {
	golden, err := filepath.Abs("../../format/testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := exec.Command("gzip", "-V").Run(); err != nil {
		t.Skip("no gzip(1) to try with: ", err)
	}
	for gz, control := range map[string]string{"named.dat.gz": "named.0.6.2.gz.zsync", "nameless.dat.gz": "nameless.0.6.2.gz.zsync"} {
		data, err := os.ReadFile(filepath.Join(golden, gz))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(golden, control))
		if err != nil {
			t.Fatal(err)
		}
		writeFiles(t, map[string][]byte{gz: data})
		if code := run([]string{"--compat=0.6.2", "-u", gz, "-o", control, gz}, os.Stdin, os.Stdout, os.Stderr); code != 0 {
			t.Fatalf("%s: code %d", gz, code)
		}
		if got, err := os.ReadFile(control); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, %d bytes, want %d", gz, err, len(got), len(want))
		}
	}
}

// The default: what cannot come out right is described as it is, and notes say so.
func TestInside(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	files := gzipFiles(t)
	writeFiles(t, files)
	for _, tt := range []struct {
		file, control string
		recompress    string // its options, "-" for none
		note          string
	}{
		{"best.gz", "best.zsync", " --best --no-name", ""},
		{"plain.tar.gz", "plain.tar.zsync", " --no-name", ""},
		{"rs.tgz", "rs.tar.zsync", " --rsync --no-name", ""},
		{"rsbest.gz", "rsbest.zsync", " --rsync --best --no-name", ""},
		{"name.gz", "name.zsync", " --best", ""},
		{"six.gz", "six.zsync", "", ""},
		{"x.GZ", "x.GZ.zsync", " --best", ""},
		{"short.gz", "short.zsync", " --best --no-name", ""},
		{"other.gz", "other.zsync", "-", "clients get the uncompressed content, since gzip(1) does not make the same file again; with -Z"},
		{"two.gz", "two.gz.zsync", "", "as it is, as with -Z: "},
		{"trail.gz", "trail.gz.zsync", "", "as it is, as with -Z: 1 bytes follow its first member"},
		{"bad.gz", "bad.gz.zsync", "", "as it is, as with -Z: it is damaged"},
		{"cut.gz", "cut.gz.zsync", "", "as it is, as with -Z: it ends within its trailer"},
		{"half.gz", "half.gz.zsync", "", "as it is, as with -Z: unexpected EOF"},
		{"comment.gz", "comment.gz.zsync", "", "as it is, as with -Z: its header has more than a name"},
		{"empty.gz", "empty.gz.zsync", "", "as it is, as with -Z: there is nothing inside"},
		{"notgz", "notgz.zsync", "", "as it is, as with -Z: not a gzip file"},
		{"head", "head.zsync", "", "as it is, as with -Z: not a gzip file"},
	} {
		out, err := ourProgram(t, dir, "-u", "u", tt.file).CombinedOutput()
		if err != nil || !strings.Contains(string(out), tt.note) || (tt.note == "") != (len(out) == 0) {
			t.Errorf("%s: %v\n%s", tt.file, err, out)
			continue
		}
		f, err := os.Open(tt.control)
		if err != nil {
			t.Error(err)
			continue
		}
		h, err := format.ReadHeader(bufio.NewReader(f))
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(tt.note, "as it is") {
			if h.Length != int64(len(files[tt.file])) || h.Filename != tt.file || h.ZMap != nil || h.Recompress != "" || len(h.ZURLs) != 0 {
				t.Errorf("%s: %+v", tt.file, h)
			}
			if out, err := ourProgram(t, dir, "-e", "-u", "u", tt.file).CombinedOutput(); exitCodeOf(err) != 2 || !strings.Contains(string(out), "hint: with -Z") {
				t.Errorf("%s with -e: %v\n%s", tt.file, err, out)
			}
			continue
		}
		m, err := format.NewZMap(h.ZMap, h.Length)
		if err != nil || m.Size()+8 != int64(len(files[tt.file])) || strings.Join(h.ZURLs, " ") != "u" || len(h.URLs) != 0 {
			t.Errorf("%s: %v, %+v", tt.file, err, h)
		}
		_, options, _ := strings.Cut(h.Recompress, " ")
		if options != strings.TrimPrefix(tt.recompress, " ") && !(tt.recompress == "-" && h.Recompress == "") {
			t.Errorf("%s: recompress %q", tt.file, h.Recompress)
		}
		if safe := strings.Join(h.Safe, " "); tt.recompress != "-" && (safe != "File-Hash Z-Filename Recompress" || h.ZFilename != tt.file) {
			t.Errorf("%s: safe %q, Z-Filename %q", tt.file, safe, h.ZFilename)
		}
	}
}

// What is read from standard input is looked into as well.
func TestInsideStdin(t *testing.T) {
	dir := t.TempDir()
	data := lines(200_000)
	cmd := ourProgram(t, dir, "-f", "x.gz", "-u", "x.gz")
	cmd.Env = append(cmd.Env, "TMPDIR="+dir)
	cmd.Stdin = bytes.NewBuffer(gzipProgram(t, data, "-n"))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.Open(filepath.Join(dir, "x.zsync"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, err := format.ReadHeader(bufio.NewReader(f))
	if err != nil || h.Length != int64(len(data)) || h.Filename != "x" || h.ZFilename != "x.gz" || len(h.ZMap) == 0 {
		t.Errorf("%v, %+v", err, h)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// Two files whose control files would be the same are not both made.
func TestInsideSameControl(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	writeFiles(t, map[string][]byte{"x": lines(5000), "x.gz": gzipped(lines(5000))})
	out, err := ourProgram(t, dir, "-u", "u/", "x", "x.gz").CombinedOutput()
	if exitCodeOf(err) != 2 || !strings.Contains(string(out), "x.zsync is written for x") || !strings.Contains(string(out), "1 of 2 files failed") {
		t.Errorf("%v\n%s", err, out)
	}
}
