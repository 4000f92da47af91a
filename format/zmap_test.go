package format

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// goldenGzip is a control file of zsyncmake 0.6.2 with a map, and its gzip file.
func goldenGzip(t *testing.T, control, gz string) (*Header, []byte) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata/golden", control))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, err := ReadHeader(bufio.NewReader(f))
	if err != nil || len(h.ZMap) == 0 {
		t.Fatalf("%s: %v, %d bytes of map", control, err, len(h.ZMap))
	}
	data, err := os.ReadFile(filepath.Join("testdata/golden", gz))
	if err != nil {
		t.Fatal(err)
	}
	return h, data
}

// Our map of a gzip file is that of zsyncmake 0.6.2, byte for byte.
func TestMapGzip(t *testing.T) {
	for control, gz := range map[string]string{
		"named.0.6.2.gz.zsync":    "named.dat.gz",
		"nameless.0.6.2.gz.zsync": "nameless.dat.gz",
		"text.0.6.2.z.zsync":      "text.z.gz",
	} {
		h, data := goldenGzip(t, control, gz)
		r := bufio.NewReader(bytes.NewReader(data))
		gh, err := ReadGzipHeader(r)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		raw, end, err := MapGzip(gh, r, h.BlockSize, &out)
		if err != nil || !bytes.Equal(raw, h.ZMap) {
			t.Errorf("%s: %v; %d bytes of map, want %d", control, err, len(raw), len(h.ZMap))
		}
		if end.Out != h.Length || int64(out.Len()) != h.Length || (end.Bit+7)/8+8 != int64(len(data)) {
			t.Errorf("%s: ends at %+v of %d", control, end, len(data))
		}
		m, err := NewZMap(raw, h.Length)
		if err != nil {
			t.Fatal(err)
		}
		for out := int64(0); out <= h.Length; out += 7 {
			b, a := m.Before(out), m.After(out)
			if p := m.At(b); p.Out > out || b < m.Len()-3 && m.At(b+1).Out <= out {
				t.Errorf("%s: before %d is point %d %+v", control, out, b, p)
			}
			if p := m.At(a); p.Out < out || a > 0 && m.At(a-1).Out >= out {
				t.Errorf("%s: after %d is point %d %+v", control, out, a, p)
			}
		}
	}
}

// The last header of a block and the last restart before a point are found without a
// look at all the points between.
func TestZMapLast(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var b ZMapBuilder
	p := ZPoint{Bit: 8 * minGzipHeader}
	for range 2000 {
		if err := b.Add(p); err != nil {
			t.Fatal(err)
		}
		if !p.Inside && r.IntN(2) == 0 { // an empty stored block
			p.Bit = (p.Bit+3+7)&^7 + 32
			continue
		}
		p.Inside = r.IntN(100) > 0
		p.Bit, p.Out = p.Bit+1+r.Int64N(5000), p.Out+r.Int64N(5000)
	}
	raw, err := b.Finish(p)
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewZMap(raw, p.Out)
	if err != nil {
		t.Fatal(err)
	}
	block, restart := 0, 0
	for i := range m.Len() {
		if !m.At(i).Inside {
			block = i
		}
		if m.Restart(i) {
			restart = i
		}
		if b, r := m.Block(i), m.LastRestart(i); b != block || r != restart {
			t.Fatalf("point %d: block %d, restart %d; want %d, %d", i, b, r, block, restart)
		}
	}
	if restart == 0 {
		t.Error("no restart was there")
	}
}

func TestZMapDamaged(t *testing.T) {
	h, _ := goldenGzip(t, "text.0.6.2.z.zsync", "text.z.gz")
	for i := 0; i < len(h.ZMap); i++ {
		raw := bytes.Clone(h.ZMap)
		raw[i] ^= 0x80
		m, err := NewZMap(raw, h.Length)
		if err != nil {
			continue
		}
		// Whatever passes can be used without a panic.
		for out := int64(0); out <= h.Length; out += 1000 {
			m.Block(m.Before(out))
			m.Restart(m.After(out))
		}
	}
	if _, err := NewZMap(h.ZMap, h.Length+1); err == nil {
		t.Error("a map of another length was taken")
	}
	if _, err := NewZMap(h.ZMap[4:], h.Length); err == nil {
		t.Error("a map without its start was taken")
	}
}
