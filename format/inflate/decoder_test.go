package inflate

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/flate"
)

// text is n bytes that compress somewhat, with parts that do not.
func text(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	var b bytes.Buffer
	for b.Len() < n {
		switch r.IntN(4) {
		case 0:
			for range r.IntN(3000) {
				b.WriteByte(byte(r.Uint32()))
			}
		case 1:
			b.Write(bytes.Repeat([]byte{byte(r.Uint32())}, r.IntN(2000)))
		default:
			for range r.IntN(400) {
				b.WriteString([]string{"zsync ", "block ", "of ", "the ", "target\n", "0123"}[r.IntN(6)])
			}
		}
	}
	return b.Bytes()[:n]
}

func packed(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	for len(data) > 0 {
		n := min(len(data), 100000)
		if _, err := w.Write(data[:n]); err != nil {
			t.Fatal(err)
		}
		if data = data[n:]; n%3 == 0 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDecode(t *testing.T) {
	for _, n := range []int{0, 1, 100, 65536, 3 << 20} {
		data := text(n)
		for level := -2; level <= 9; level++ {
			stream := packed(t, data, level)
			var d Decoder
			for _, r := range []io.Reader{bytes.NewReader(stream), iotest.HalfReader(iotest.DataErrReader(bytes.NewReader(stream)))} {
				if err := d.Start(r, 0, nil); err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(&d)
				if err != nil || !bytes.Equal(got, data) {
					t.Fatalf("%d bytes at level %d: %v, %d bytes", n, level, err, len(got))
				}
			}
			for _, cut := range []int{0, len(stream) / 2, len(stream) - 1} {
				if err := d.Start(bytes.NewReader(stream[:cut]), 0, nil); err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(&d)
				if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(data, got) {
					t.Errorf("%d of %d bytes at level %d: %v", cut, len(stream), level, err)
				}
			}
		}
	}
}

// From each point decoding goes on, with the window, up to the next point, and
// needs no byte of the stream beyond that.
func TestEnter(t *testing.T) {
	const every = 2048
	data := text(1 << 20)
	for _, level := range []int{-2, 0, 1, 6, 9} {
		stream := packed(t, data, level)
		var points []Point
		var out bytes.Buffer
		end, err := Trace(bytes.NewReader(stream), 0, every, &out, func(p Point) error {
			points = append(points, p)
			return nil
		})
		if err != nil || !bytes.Equal(out.Bytes(), data) || end.Out != int64(len(data)) || (end.Bit+7)/8 != int64(len(stream)) {
			t.Fatalf("level %d: %v, %d bytes, %+v", level, err, out.Len(), end)
		}
		points = append(points, end)
		header, inside := int64(0), 0
		for i, p := range points[:len(points)-1] {
			next := points[i+1]
			part := stream[p.Bit/8 : (next.Bit+7)/8]
			var d Decoder
			if p.Inside {
				inside++
				err = d.Enter(stream[header/8:], header, bytes.NewReader(part), p.Bit, data[:p.Out])
			} else {
				header = p.Bit
				err = d.Start(bytes.NewReader(part), p.Bit, data[:p.Out])
			}
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, next.Out-p.Out)
			if _, err := io.ReadFull(&d, got); err != nil || !bytes.Equal(got, data[p.Out:next.Out]) {
				t.Fatalf("level %d, point %d %+v to %+v: %v", level, i, p, next, err)
			}
		}
		if inside == 0 {
			t.Errorf("level %d: no point within a block", level)
		}
	}
}

func TestHistory(t *testing.T) {
	data := bytes.Repeat([]byte("what is here again and again "), 100)
	stream := packed(t, data, 9)
	var b bytes.Buffer
	w, err := flate.NewWriterDict(&b, 9, data)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(data)
	w.Close()
	var d Decoder
	d.Start(bytes.NewReader(b.Bytes()), 0, nil)
	if _, err := io.ReadAll(&d); !errors.Is(err, ErrHistory) {
		t.Errorf("without the window: %v", err)
	}
	d.Start(bytes.NewReader(b.Bytes()), 0, data)
	if got, err := io.ReadAll(&d); err != nil || !bytes.Equal(got, data) {
		t.Errorf("with the window: %v", err)
	}
	d.Start(bytes.NewReader(stream), 0, nil)
	if got, err := io.ReadAll(&d); err != nil || !bytes.Equal(got, data) {
		t.Errorf("with none needed: %v", err)
	}
}

func TestDamaged(t *testing.T) {
	for name, stream := range map[string][]byte{
		"kind 3":             {7},
		"complement":         {1, 1, 0, 1, 0},
		"empty blocks":       bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, MaxEmptyBlocks+1),
		"empty fixed blocks": bytes.Repeat([]byte{0x02, 0x08, 0x20, 0x80, 0x00}, MaxEmptyBlocks),
		"too many symbols":   {5 | 31<<3, 31, 0, 0, 0, 0, 0, 0, 0, 0},
		"no code of lengths": {5, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"distance too far":   {0x4b, 0x04, 0x12, 0x00, 0x00, 0x00},
		"distance code 30":   {0x63, 0x00, 0x3e, 0x00, 0x00, 0x00},
	} {
		var d Decoder
		d.Start(bytes.NewReader(stream), 0, nil)
		n, err := io.Copy(io.Discard, io.LimitReader(&d, 1<<20))
		if err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v after %d bytes", name, err, n)
		}
	}
}

// What another decoder makes of any stream is what ours makes of it.
func FuzzDecode(f *testing.F) {
	for _, level := range []int{-2, 0, 1, 9} {
		f.Add(packed(f, text(3000), level))
	}
	f.Add([]byte{7})
	f.Fuzz(func(t *testing.T, stream []byte) {
		const most = 1 << 20
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(stream)), most))
		var d Decoder
		d.Start(bytes.NewReader(stream), 0, nil)
		got, err := io.ReadAll(io.LimitReader(&d, most))
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Errorf("%d bytes, %v; want %d, %v", len(got), err, len(want), wantErr)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	data := text(4 << 20)
	stream := packed(b, data, 6)
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		var d Decoder
		for b.Loop() {
			d.Start(bytes.NewReader(stream), 0, nil)
			io.Copy(io.Discard, &d)
		}
	})
	b.Run("library", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		r := flate.NewReader(nil)
		for b.Loop() {
			r.(flate.Resetter).Reset(bytes.NewReader(stream), nil)
			io.Copy(io.Discard, r)
		}
	})
}
