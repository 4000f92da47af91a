package format

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

func TestHashLengths(t *testing.T) {
	// As zsyncmake 0.6.2 writes them. Where length and block size are powers of
	// two the formula meets whole numbers.
	tests := []struct {
		length, blockSize int64
		want              string
	}{
		{0, 2048, "1,2,3"}, {1, 2048, "1,2,3"}, {2048, 2048, "1,2,4"}, {2049, 2048, "2,2,3"},
		{60001, 2048, "2,2,4"}, {60001, 512, "2,2,4"}, {9_000_000, 2048, "2,2,5"}, {1_000_000_000, 4096, "2,3,5"},
		{10000, 65536, "1,3,5"}, {524288, 524288, "1,4,5"},
		{4096, 2048, "2,2,3"}, {8192, 2048, "2,2,3"}, {65536, 512, "2,2,4"},
	}
	for _, test := range tests {
		if got := HashLengths(test.length, test.blockSize).String(); got != test.want {
			t.Errorf("HashLengths(%d, %d) = %s, want %s", test.length, test.blockSize, got, test.want)
		}
	}
	for length := int64(1); length <= MaxLength; length *= 2 {
		for block := int64(MinBlockSize); block <= MaxBlockSize; block *= 2 {
			for _, l := range []int64{length - 1, length, min(length+1, MaxLength)} {
				if err := HashLengths(l, block).check(16); err != nil {
					t.Errorf("HashLengths(%d, %d): %v", l, block, err)
				}
			}
		}
	}
}

func TestDefaultBlockSize(t *testing.T) {
	for length, want := range map[int64]int64{0: 2048, 99_999_999: 2048, 100_000_000: 4096, MaxLength: 4096} {
		if got := DefaultBlockSize(length); got != want {
			t.Errorf("DefaultBlockSize(%d) = %d, want %d", length, got, want)
		}
	}
}

// TestBuilderGolden makes the files of both zsyncmakes again, byte for byte.
func TestBuilderGolden(t *testing.T) {
	target := golden(t, "text.dat")
	base := BuilderOptions{Filename: "text.dat", MTime: time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC), URLs: []string{"text.dat"}}
	classic := base
	classic.Lengths, classic.SHA1Only = HashLengths, true
	small := classic
	small.BlockSize = 512
	for name, o := range map[string]BuilderOptions{"text.0.6.2.plain.zsync": classic, "text.0.6.2.b512.zsync": small} {
		b, err := NewBuilder(o)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(target[:100])
		b.Write(target[100:])
		var out bytes.Buffer
		n, err := b.WriteTo(&out)
		if err != nil || n != int64(out.Len()) || !bytes.Equal(out.Bytes(), golden(t, name)) {
			t.Errorf("%s: %d bytes, %v, not the same", name, n, err)
		}
	}
	for strong := checksum.MD4; strong.Valid(); strong++ {
		_, records := build(t, target, BuilderOptions{Strong: strong})
		if !bytes.HasSuffix(golden(t, "text.0.7.2."+strong.String()+".zsync"), append([]byte("\n\n"), records...)) {
			t.Errorf("%v: other records than 0.7.2's", strong)
		}
	}
}

// TestBuilderDefault pins the default profile: its order, and Safe before what
// it announces.
func TestBuilderDefault(t *testing.T) {
	b, err := NewBuilder(BuilderOptions{Filename: "text.dat", MTime: time.Unix(1706933106, 5e8), URLs: []string{"a%20b"}})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(golden(t, "text.dat"))
	var out bytes.Buffer
	if _, err := b.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	want := "zsync: 0.6.2\nSafe: File-Hash\nFilename: text.dat\nMTime: Sat, 03 Feb 2024 04:05:06 +0000\nBlocksize: 2048\n" +
		"Length: 60001\nHash-Lengths: 1,4,16\nURL: a%20b\nSHA-1: " + textSHA1 + "\nFile-Hash: SHA-256:" + textSHA256 + "\n\n"
	if !strings.HasPrefix(out.String(), want) {
		t.Errorf("got %q", out.String()[:len(want)])
	}
	h, err := b.Header()
	if err != nil || h.Size != int64(len(want)) || h.ControlLength() != int64(out.Len()) {
		t.Errorf("header %+v, %v, of %d bytes", h, err, out.Len())
	}
	if _, err := b.Write([]byte("x")); err == nil {
		t.Error("a write after the end succeeds")
	}
}

func TestBuilderSizes(t *testing.T) {
	data := randomBytes(3<<20 + 4097)
	for _, n := range []int{0, 1, 511, 512, 513, 1 << 20, 1<<20 + 1, 2<<20 - 1, len(data)} {
		for _, step := range []int{1000, 1 << 20, 1<<20 + 5, len(data)} {
			t.Run(fmt.Sprint(n, "/", step), func(t *testing.T) {
				b, err := NewBuilder(BuilderOptions{BlockSize: 512})
				if err != nil {
					t.Fatal(err)
				}
				for at := 0; at < n; at += step {
					b.Write(data[at:min(at+step, n)])
				}
				var out bytes.Buffer
				if _, err := b.WriteTo(&out); err != nil {
					t.Fatal(err)
				}
				h, err := read(out.Bytes())
				if err != nil || len(h.Warnings) > 0 {
					t.Fatal(err, h)
				}
				checkRecords(t, h, data[:n], out.Bytes()[h.Size:])
				v := h.NewFileVerifier()
				v.Write(data[:n])
				if err := v.Check(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestBuilderRefuses(t *testing.T) {
	for name, o := range map[string]BuilderOptions{
		"Blocksize":             {BlockSize: 1000},
		"Filename":              {Filename: "a\nb"},
		"URL":                   {URLs: []string{""}},
		"Z-URL":                 {ZURLs: []string{"a\r"}},
		"Hash-Lengths":          {Lengths: func(int64, int64) Lengths { return Lengths{1, 4, 17} }},
		"MTime":                 {MTime: time.Unix(maxUnix+1, 0)},
		"Strong-Hash-Algorithm": {Strong: 99},
	} {
		if _, err := NewBuilder(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestEncodeRoundTrip(t *testing.T) {
	for _, name := range []string{"named.0.6.2.gz.zsync", "nameless.0.6.2.gz.zsync", "text.0.6.2.z.zsync"} {
		data := golden(t, name)
		h, err := read(data)
		if err != nil {
			t.Fatal(err)
		}
		out, err := h.Encode(EncodeOptions{SafeSeparator: " "})
		if err != nil || !bytes.Equal(out, data[:h.Size]) {
			t.Errorf("%s: %v\n%q\n%q", name, err, out, data[:h.Size])
		}
	}
	h, err := read(golden(t, "text.0.7.2.MD4.zsync"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.Encode(EncodeOptions{Order: []string{"Length", "no such", "SHA-1", "zsync"}})
	if err != nil || !bytes.HasPrefix(out, []byte("Length: 60001\nzsync: 0.7.2\nSafe: File-Hash,Strong-Hash-Algorithm\n")) {
		t.Errorf("%v, %q", err, out)
	}
	again, err := read(out)
	if err != nil {
		t.Fatal(err)
	}
	again.Size = h.Size
	if !reflect.DeepEqual(h, again) {
		t.Errorf("got  %+v\nwant %+v", again, h)
	}
}

func TestEncodeRefuses(t *testing.T) {
	tests := []struct {
		header string
		change func(h *Header)
	}{
		{"zsync", func(h *Header) { h.Writer = "" }},
		{"zsync", func(h *Header) { h.Writer = "0.0.4" }},
		{"Filename", func(h *Header) { h.Filename = "a " }},
		{"Length", func(h *Header) { h.Length = -1 }},
		{"Length", func(h *Header) { h.Length = MaxLength + 1 }},
		{"Blocksize", func(h *Header) { h.BlockSize = 0 }},
		{"Hash-Lengths", func(h *Header) { h.RsumLength = 5 }},
		{"Strong-Hash-Algorithm", func(h *Header) { h.Strong = -1 }},
		{"File-Hash", func(h *Header) { h.FileHashes = []FileHash{{"MD5", make([]byte, 16)}} }},
		{"File-Hash", func(h *Header) { h.FileHashes[0].Digest = nil }},
		{"File-Hash", func(h *Header) { h.FileHashes = append(h.FileHashes, h.FileHashes[0]) }},
		{"Safe", func(h *Header) { h.Safe = []string{"a,b"} }},
		{"URL", func(h *Header) { h.URLs = make([]string, MaxURLs+1) }},
		{"Z-Map2", func(h *Header) { h.ZMap = make([]byte, 3) }},
		{"Z-Map2", func(h *Header) { h.ZMap = make([]byte, 4*(1025+60001/8)) }},
		{"URL", func(h *Header) { h.Unknown = []Field{{"URL", "x"}} }},
		{"a b", func(h *Header) { h.Unknown = []Field{{"a b", "x"}} }},
		{"X", func(h *Header) { h.Unknown = []Field{{"X", "\x00"}} }},
		{"", func(h *Header) { h.Filename = strings.Repeat("a", MaxHeaderSize) }},
		{"", func(h *Header) { h.Unknown = make([]Field, MaxHeaders); fill(h.Unknown) }},
	}
	for i, test := range tests {
		h, err := read(golden(t, "text.0.6.2.plain.zsync"))
		if err != nil {
			t.Fatal(err)
		}
		test.change(h)
		var parse *ParseError
		if _, err := h.WriteTo(new(bytes.Buffer)); !errors.As(err, &parse) || parse.Header != test.header {
			t.Errorf("%d: got %v, want a fault in %q", i, err, test.header)
		} else {
			checkPlain(t, err.Error())
		}
	}
}

func fill(list []Field) {
	for i := range list {
		list[i] = Field{Name: "X", Value: "y"}
	}
}

func TestMTime(t *testing.T) {
	want := time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, s := range []string{
		"Sat, 03 Feb 2024 04:05:06 +0000", "Sat, 3 Feb 2024 04:05:06 +0000", "Sat, 03 Feb 2024 04:05:06 GMT",
		"Sat, 03 Feb 2024 04:05:06 UTC", "Sat, 03 Feb 2024 06:05:06 +0200", "Fri, 02 Feb 2024 23:05:06 EST", "1706933106",
	} {
		if got, err := ParseMTime(s); err != nil || got != want {
			t.Errorf("ParseMTime(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "yesterday", "-5", "253402300800", "99999999999999999999", "2024-02-03", "Sat, 03 Feb 2024 04:05:06 MOON", "Sat, 31 Feb 2024 04:05:06 GMT"} {
		if got, err := ParseMTime(s); err == nil {
			t.Errorf("ParseMTime(%q) = %v", s, got)
		}
	}
	if got, err := ParseMTime("Fri, 31 Dec 9999 23:59:59 +0000"); err != nil || got.Unix() != maxUnix {
		t.Errorf("the end of time: %v, %v", got, err)
	}
	if got := FormatMTime(want.In(time.FixedZone("", 3600))); got != "Sat, 03 Feb 2024 04:05:06 +0000" {
		t.Errorf("FormatMTime = %q", got)
	}
}

func BenchmarkBuilder(b *testing.B) {
	target := randomBytes(64 << 20)
	b.SetBytes(int64(len(target)))
	for b.Loop() {
		build(b, target, BuilderOptions{BlockSize: 4096})
	}
}
