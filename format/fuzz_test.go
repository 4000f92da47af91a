package format

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/iotest"
	"time"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

func addControlFiles(f *testing.F) {
	for _, dir := range []string{"golden", "hostile"} {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*.zsync"))
		if err != nil || len(files) == 0 {
			f.Fatal("no seeds", err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
}

func FuzzReadHeader(f *testing.F) {
	addControlFiles(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := read(data)
		if err != nil {
			var parse *ParseError
			var short *ShortError
			if errors.As(err, &parse) == errors.As(err, &short) || (h == nil) != (parse != nil) {
				t.Fatalf("%v, %v", h, err)
			}
			if short != nil && (short.Have != int64(len(data)) || !errors.Is(err, io.ErrUnexpectedEOF)) {
				t.Fatalf("%+v of %d bytes", short, len(data))
			}
			checkPlain(t, err.Error())
			return
		}
		for _, w := range h.Warnings {
			checkPlain(t, w)
		}
		if !h.usable() || h.Size > int64(len(data)) || h.Size > int64(MaxHeaderSize+len(h.ZMap)) || h.ControlLength() < h.Size {
			t.Fatalf("%+v", h)
		}
		// However the bytes arrive, the header is the same.
		slow, err := ReadHeader(bufio.NewReaderSize(iotest.OneByteReader(bytes.NewReader(data)), 16))
		if err != nil || !reflect.DeepEqual(h, slow) {
			t.Fatalf("%v\n%+v\n%+v", err, h, slow)
		}
		// What was read is written so that it reads the same.
		out, err := h.Encode(EncodeOptions{})
		if err != nil {
			return // as a file may say things that no writer should
		}
		again, err := read(out)
		if err != nil {
			t.Fatalf("%v in %q", err, out)
		}
		h.Size, h.Warnings, again.Size, again.Warnings = 0, nil, 0, nil
		h.FileHashes, again.FileHashes = sorted(h.FileHashes), sorted(again.FileHashes)
		h.MTime = h.MTime.UTC()
		if !reflect.DeepEqual(h, again) {
			t.Fatalf("\n%+v\n%+v", h, again)
		}
	})
}

// sorted is list with the SHA-1 first, as Encode writes it.
func sorted(list []FileHash) []FileHash {
	if len(list) == 2 && list[0].Algorithm == "SHA-256" {
		return []FileHash{list[1], list[0]}
	}
	return list
}

func FuzzVerifyBlocks(f *testing.F) {
	f.Add(int64(1000), int64(512), 1, 4, 16, 0, int64(0), []byte("data"), []byte("records"))
	f.Add(int64(5), int64(4), 2, 0, 99, 3, int64(-1), []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, length, block int64, seq, r, c, strong int, first int64, data, records []byte) {
		h := &Header{
			Length: length, BlockSize: block, SeqMatches: seq, RsumLength: r, StrongLength: c,
			Strong: checksum.Strong(strong),
		}
		got := h.VerifyBlocks(BlockID(first), data, records)
		if got < 0 || (got > 0 && int64(got-1)*block >= int64(len(data))) {
			t.Fatalf("%d blocks of %d bytes", got, len(data))
		}
		view := h.Records(records)
		for i := range min(view.Count(), 10) {
			view.Rsum(i)
			view.Strong(i)
		}
		h.RsumMask()
	})
}

func FuzzBuilder(f *testing.F) {
	f.Add("text.dat", "a b", int64(1706933106), uint8(0), uint8(0), uint16(5000), []byte("content"))
	f.Add("", "", int64(0), uint8(3), uint8(2), uint16(0), []byte{})
	f.Fuzz(func(t *testing.T, name, url string, mtime int64, shift, strong uint8, repeat uint16, data []byte) {
		o := BuilderOptions{
			Filename: name, MTime: time.Unix(mtime, 0), URLs: []string{url},
			BlockSize: MinBlockSize << (shift % 5), Strong: checksum.Strong(strong),
		}
		if shift&1 == 1 {
			o.Lengths, o.SHA1Only = HashLengths, true
		}
		target := bytes.Repeat(data, int(repeat%64))
		b, err := NewBuilder(o)
		if err != nil {
			checkPlain(t, err.Error())
			return
		}
		b.Write(target)
		var out bytes.Buffer
		if _, err := b.WriteTo(&out); err != nil {
			t.Fatal(err)
		}
		h, err := read(out.Bytes())
		if err != nil {
			t.Fatalf("%v in %q", err, out.Bytes())
		}
		if h.Filename != name || h.URLs[0] != url || !h.MTime.Equal(o.MTime) || h.ControlLength() != int64(out.Len()) {
			t.Fatalf("%+v of %+v", h, o)
		}
		if got := h.VerifyBlocks(0, target, out.Bytes()[h.Size:]); int64(got) != h.Geometry().BlockCount() {
			t.Fatalf("%d blocks match", got)
		}
		v := h.NewFileVerifier()
		v.Write(target)
		if err := v.Check(); err != nil {
			t.Fatal(err)
		}
	})
}
