package format

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

const (
	textSHA1   = "c8496638651b80446ed99f33c39f9402d41f9fe3"
	textSHA256 = "5da15c6fc027036f8b67f30444d1d2f20ec94cfd104fad4f81c212a90412561f"
)

func golden(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "golden", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func unhex(s string) []byte {
	data, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return data
}

func read(data []byte) (*Header, error) {
	return ReadHeader(bufio.NewReader(bytes.NewReader(data)))
}

func TestGoldenHeaders(t *testing.T) {
	mtime := time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)
	sha1 := []FileHash{{"SHA-1", unhex(textSHA1)}}
	sha256 := []FileHash{{"SHA-256", unhex(textSHA256)}}
	safe := []string{"Z-Filename", "Recompress", "MTime"}
	plain := Header{
		Writer: "0.6.2", Filename: "text.dat", MTime: mtime, BlockSize: 2048, Length: 60001,
		SeqMatches: 2, RsumLength: 2, StrongLength: 4, FileHashes: sha1,
	}
	with := func(change func(h *Header)) Header {
		h := plain
		change(&h)
		return h
	}
	tests := map[string]Header{
		"text.0.6.2.plain.zsync": with(func(h *Header) { h.URLs = []string{"text.dat"} }),
		"text.0.6.2.b512.zsync":  with(func(h *Header) { h.URLs, h.BlockSize = []string{"text.dat"}, 512 }),
		"text.0.6.2.z.zsync":     with(func(h *Header) { h.ZURLs, h.ZMap = []string{"text.dat.gz"}, make([]byte, 33*4) }),
		"named.0.6.2.gz.zsync": with(func(h *Header) {
			h.Filename, h.Safe, h.ZFilename = "named.dat", safe, "named.dat.gz"
			h.Recompress = "1f8b080872bbbd650003746578742e64617400 --best"
			h.ZURLs, h.ZMap = []string{"named.dat.gz"}, make([]byte, 31*4)
		}),
		"nameless.0.6.2.gz.zsync": with(func(h *Header) {
			h.Filename, h.Safe, h.ZFilename = "nameless.dat", safe, "nameless.dat.gz"
			h.Recompress = "1f8b0800000000000003 --best --no-name"
			h.ZURLs, h.ZMap = []string{"nameless.dat.gz"}, make([]byte, 31*4)
		}),
	}
	for strong, size := range map[checksum.Strong]int{checksum.MD4: 16, checksum.MD5: 16, checksum.SHA224: 28} {
		tests["text.0.7.2."+strong.String()+".zsync"] = with(func(h *Header) {
			h.Writer, h.URLs, h.FileHashes, h.Strong = "0.7.2", []string{"text.dat"}, sha256, strong
			h.SeqMatches, h.RsumLength, h.StrongLength = 1, 4, size
			h.Safe = []string{"File-Hash"}
			if strong == checksum.MD4 {
				h.Safe = []string{"File-Hash", "Strong-Hash-Algorithm"}
			}
		})
	}
	target := golden(t, "text.dat")
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			data := golden(t, name)
			src := bufio.NewReader(iotest.OneByteReader(bytes.NewReader(data)))
			h, err := ReadHeader(src)
			if err != nil {
				t.Fatal(err)
			}
			if len(h.ZMap) != len(want.ZMap) {
				t.Errorf("Z-Map2 of %d bytes, want %d", len(h.ZMap), len(want.ZMap))
			}
			records, err := io.ReadAll(src)
			if err != nil || !bytes.Equal(records, data[h.Size:]) {
				t.Errorf("the source does not go on at the first record (%v)", err)
			}
			checkRecords(t, h, target, records)
			got := *h
			got.Size, got.ZMap, want.ZMap = 0, nil, nil
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// checkRecords holds target against records: strong checksums by VerifyBlocks,
// rsums by the mask.
func checkRecords(t *testing.T, h *Header, target, records []byte) {
	t.Helper()
	g := h.Geometry()
	if got := h.VerifyBlocks(0, target, records); int64(got) != g.BlockCount() {
		t.Errorf("%d of %d blocks match", got, g.BlockCount())
	}
	view := h.Records(records)
	for id := BlockID(0); int64(id) < g.BlockCount(); id++ {
		r := g.Bytes(BlockRange{id, id + 1})
		full := checksum.RsumBlock(target[r.Start:r.End], int(g.BlockSize)).Uint32()
		if got := view.Rsum(int(id)); got != full&h.RsumMask() {
			t.Errorf("block %d: rsum %08x, computed %08x", id, got, full)
		}
	}
	stray := int64(len(records)) - g.BlockCount()*h.RecordSize()
	if want := map[bool]int64{true: h.RecordSize()}[h.ZMap != nil]; stray != want {
		t.Errorf("%d bytes after the last record, want %d", stray, want)
	}
	if err := h.CheckControlSize(h.Size + int64(len(records))); err != nil {
		t.Error(err)
	}
}

// head is a header with lines put in place of, or behind, those of a good one.
func head(lines ...string) string {
	good := []string{"zsync: 0.6.2", "Blocksize: 2048", "Length: 10000", "Hash-Lengths: 1,4,16", "SHA-1: " + textSHA1}
	for _, line := range lines {
		name, _, _ := strings.Cut(line, ":")
		replaced := false
		for i := range good {
			if strings.HasPrefix(good[i], name+":") {
				good[i], replaced = line, true
			}
		}
		if !replaced {
			good = append(good, line)
		}
	}
	return strings.Join(good, "\n") + "\n\n"
}

func TestReadHeaderRefuses(t *testing.T) {
	tests := []struct{ name, file, header, message string }{
		{"web page", "<!DOCTYPE html><html>", "", "web page"},
		{"web page with space", "  \t<html>\n", "", "web page"},
		{"byte order mark", "\xef\xbb\xbf" + head(), "", "byte order mark"},
		{"gzip", "\x1f\x8b\x08\x00", "", "gzip"},
		{"binary", "v\xa0\xb72\x8dR\x03\n", "", "binary data"},
		{"records too early", "zsync: 0.6.2\na\x03\n", "", "without the empty line"},
		{"no line end", strings.Repeat("a", 5000), "", "no colon"},
		{"escape sequence", head("Filename: \x1b[31m"), "Filename", "0x1b"},
		{"tab", head("URL: a\tb"), "URL", "0x09"},
		{"CR inside", head("URL: a\rb"), "URL", "0x0d"},
		{"DEL", head("X: \x7f"), "X", "0x7f"},
		{"space in name", head("a b: c"), "", `byte 0x20 in the header name "a b"`},
		{"UTF-8 in name", head("ä: c"), "", "header name"},
		{"empty name", head(": c"), "", "empty header name"},
		{"long name", head(strings.Repeat("n", MaxNameLength+1) + ": c"), "", "no colon"},
		{"no space", head("Length:10000"), "Length", "no space after the colon"},
		{"CR LF only at the end", "zsync: 0.6.2\n\r\n", "", "not a header"},
		{"zsync 0.0.4", head("zsync: 0.0.4"), "zsync", "0.0.4"},
		{"zsync2", "zsync2: 1.0\nHash-Algorithm: BLAKE3\n", "zsync2", "zsync2 proposal"},
		{"ownCloud", head("Hash-Lengths: 1,8,16"), "Hash-Lengths", "ownCloud"},
		{"strong too long", head("Hash-Lengths: 1,4,17"), "Hash-Lengths", "3 to 16"},
		{"strong too long for MD5", head("Hash-Lengths: 1,4,28", "Strong-Hash-Algorithm: MD5"), "Hash-Lengths", "MD5"},
		{"spaces in lengths", head("Hash-Lengths: 1, 4, 16"), "Hash-Lengths", "not a number"},
		{"unknown strong", head("Strong-Hash-Algorithm: md4"), "Strong-Hash-Algorithm", "not known"},
		{"short SHA-1", head("SHA-1: " + textSHA1[1:]), "SHA-1", "39 digits"},
		{"SHA-1 no hex", head("SHA-1: " + "x" + textSHA1[1:]), "SHA-1", "hexadecimal"},
		{"empty SHA-1", head("SHA-1: "), "SHA-1", "0 digits"},
		{"SHA-1 twice", head("File-Hash: SHA-1:" + strings.Repeat("0", 40)), "File-Hash", "two different"},
		{"empty File-Hash", head("File-Hash: "), "File-Hash", "algorithm and a digest"},
		{"File-Hash without algorithm", head("File-Hash: " + textSHA256), "File-Hash", "algorithm and a digest"},
		{"File-Hash cut", head("File-Hash: SHA-256:00"), "File-Hash", "2 digits"},
		{"unknown algorithm without digest", head("File-Hash: BLAKE3:"), "File-Hash", "digest"},
		{"Length over the bound", head(fmt.Sprint("Length: ", int64(MaxLength)+1)), "Length", "too large"},
		{"map before Length", "zsync: 1\nBlocksize: 512\nZ-Map2: 1\nabcd\n", "Z-Map2", "must stand before"},
		{"map twice", head("Z-Map2: 0\nZ-Map2: 0"), "Z-Map2", "twice"},
		{"map count", head("Z-Map2: 2275"), "Z-Map2", "at most 2274"},
		{"map negative", head("Z-Map2: -1"), "Z-Map2", "not a number"},
		{"URLs", head(strings.Repeat("URL: a\n", MaxURLs) + "Z-URL: b"), "Z-URL", "more than 64"},
		{"headers", head(strings.Repeat("X: a\n", MaxHeaders-5) + "X: b"), "", "more than 1024 headers"},
		{"size", head(strings.Repeat("X: "+strings.Repeat("a", 1000)+"\n", 66)), "", "longer than 65536"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h, err := read([]byte(test.file))
			var parse *ParseError
			if !errors.As(err, &parse) || h != nil {
				t.Fatalf("got %v, %v; want a ParseError", h, err)
			}
			if parse.Header != test.header || !strings.Contains(err.Error(), test.message) {
				t.Errorf("header %q, error %q; want header %q, error with %q", parse.Header, err, test.header, test.message)
			}
			checkPlain(t, err.Error())
		})
	}
}

// checkPlain fails when s holds what must not reach a terminal.
func checkPlain(t testing.TB, s string) {
	t.Helper()
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			t.Errorf("control character in %q", s)
		}
	}
	if len(s) > 1000 {
		t.Errorf("message of %d bytes", len(s))
	}
}

// endless is a source of one byte for ever.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestReadHeaderOfEndlessLine(t *testing.T) {
	for _, start := range []string{"", "zsync: ", "zsync: 0.6.2\n", head("URL: x")[:60]} {
		src := bufio.NewReader(io.MultiReader(strings.NewReader(start), endless('a')))
		_, err := ReadHeader(src)
		var parse *ParseError
		if !errors.As(err, &parse) {
			t.Errorf("after %q: %v", start, err)
			continue
		}
		checkPlain(t, err.Error())
	}
}

func TestReadHeaderAccepts(t *testing.T) {
	tests := []struct {
		name, file string
		check      func(h *Header) bool
		warnings   int
	}{
		{"good", head(), func(h *Header) bool { return h.Size == int64(len(head())) }, 0},
		{"CR LF", strings.ReplaceAll(head("URL: a b  "), "\n", "\r\n"), func(h *Header) bool { return h.URLs[0] == "a b" }, 0},
		{"CR LF, then LF", strings.ReplaceAll(strings.TrimSuffix(head(), "\n"), "\n", "\r\n") + "\n", func(h *Header) bool { return h.Length == 10000 }, 0},
		{"sorted", "Blocksize: 512\nLength: 0\nSHA-1: " + textSHA1 + "\nzsync: x y\n\n", func(h *Header) bool {
			return h.Writer == "x y" && h.Lengths() == Lengths{1, 4, 16} && h.Geometry().BlockCount() == 0
		}, 0},
		{"upper-case digits", head("SHA-1: " + strings.ToUpper(textSHA1)), func(h *Header) bool { return len(h.FileHashes) == 1 }, 0},
		{"both digests", head("File-Hash: sha-256:" + textSHA256), func(h *Header) bool { return len(h.FileHashes) == 2 }, 0},
		{"equal digests", head("File-Hash: SHA-1:" + textSHA1), func(h *Header) bool { return len(h.FileHashes) == 1 }, 0},
		{"equal Length", head("zsync: 1\nLength: 10000"), func(h *Header) bool { return h.Length == 10000 }, 0},
		{"Safe in all forms", head("Safe: A B,C, MTime:\nSafe: D\nA: 1\nD: 2\nX: 3"), func(h *Header) bool {
			return reflect.DeepEqual(h.Safe, []string{"A", "B", "C", "MTime", "D"}) && len(h.Unknown) == 3 && h.RefuseUnknown() != nil
		}, 1},
		{"all unknown safe", head("A: 1\nSafe: A"), func(h *Header) bool { return h.RefuseUnknown() == nil }, 0},
		{"Min-Version", head("Min-Version: 0.8.1"), func(h *Header) bool { return h.MinVersion == "0.8.1" }, 0},
		{"high Min-Version", head("Min-Version: 1.0"), func(h *Header) bool { return h.MinVersion == "1.0" }, 1},
		{"MTime twice", head("MTime: 5\nMTime: 6"), func(h *Header) bool { return h.MTime.Unix() == 5 }, 1},
		{"no digest", strings.Replace(head(), "SHA-1: ", "Sha-1: ", 1), func(h *Header) bool { return len(h.FileHashes) == 0 }, 2},
		{"empty URL", head("URL:\nURL: \nURL: x"), func(h *Header) bool { return len(h.URLs) == 1 }, 2},
		{"raw bytes in the map", head("Z-Map2: 2\n\n\n\r\x00zsyFilename: f"), func(h *Header) bool {
			return string(h.ZMap) == "\n\n\r\x00zsyF" && len(h.Unknown) == 1
		}, 1},
		{"empty map", head("Z-Map2: 0"), func(h *Header) bool { return h.ZMap == nil }, 1},
		{"long value", head("Filename: " + strings.Repeat("a", 60000)), func(h *Header) bool { return len(h.Filename) == 60000 }, 0},
		{"escape in unknown value", head("X: \u009b\u202e"), func(h *Header) bool { return true }, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h, err := read([]byte(test.file))
			if err != nil {
				t.Fatal(err)
			}
			if !test.check(h) || len(h.Warnings) != test.warnings {
				t.Errorf("got %+v", h)
			}
			for _, w := range h.Warnings {
				checkPlain(t, w)
			}
		})
	}
}

func TestReadHeaderOfPrefix(t *testing.T) {
	for _, name := range []string{"named.0.6.2.gz.zsync", "text.0.7.2.MD4.zsync"} {
		data := golden(t, name)
		whole, err := read(data)
		if err != nil {
			t.Fatal(err)
		}
		for n := range int(whole.Size) {
			h, err := read(data[:n])
			var short *ShortError
			if !errors.As(err, &short) || !errors.Is(err, io.ErrUnexpectedEOF) || h == nil {
				t.Fatalf("%d bytes: got %v, %v", n, h, err)
			}
			if short.Have != int64(n) || short.Need <= int64(n) || short.Need > whole.Size {
				t.Fatalf("%d of %d bytes: %+v", n, whole.Size, short)
			}
			if bytes.Contains(data[:n], []byte("Length: 60001\n")) && (h.Length != whole.Length || !h.MTime.Equal(whole.MTime)) {
				t.Fatalf("%d bytes: Length %d, MTime %v", n, h.Length, h.MTime)
			}
			if h.ZMap != nil && !bytes.Equal(h.ZMap, whole.ZMap) {
				t.Fatalf("%d bytes: a part of the map", n)
			}
		}
	}
}

func TestReadHeaderSourceFails(t *testing.T) {
	broken := errors.New("connection reset")
	for _, start := range []string{"", head()[:30], head("Z-Map2: 100\n12345678")[:110]} {
		src := io.MultiReader(strings.NewReader(start), iotest.ErrReader(broken))
		h, err := ReadHeader(bufio.NewReader(src))
		if !errors.Is(err, broken) || errors.Is(err, io.ErrUnexpectedEOF) || h == nil {
			t.Errorf("after %q: %v, %v", start, h, err)
		}
	}
}
