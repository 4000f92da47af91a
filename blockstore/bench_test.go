package blockstore

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

func benchVersion(b *testing.B) (*target, *Version) {
	m := makeTarget(b, 1, 64<<20, 4096)
	s, err := Open(b.TempDir(), Options{CheckpointInterval: time.Hour, CheckpointBytes: 1 << 40})
	must(b, err)
	v := m.open(b, s)
	must(b, v.PutControl(m.control, 0))
	b.Cleanup(func() { v.Close(); s.Close() })
	return m, v
}

// BenchmarkReadAt reads blocks that are checked; compare with Pread.
func BenchmarkReadAt(b *testing.B) {
	m, v := benchVersion(b)
	must(b, v.Put(0, m.data))
	for _, n := range []int{4096, 128 << 10} {
		p := make([]byte, n)
		read := func(name string, f func(off int64) error) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(1, 2))
				b.SetBytes(int64(n))
				for b.Loop() {
					must(b, f(rng.Int64N(int64(len(m.data)-n))))
				}
			})
		}
		read("ReadAt", func(off int64) error { _, err := v.ReadAt(p, off); return err })
		read("Pread", func(off int64) error { _, err := v.parts.data.ReadAt(p, off); return err })
	}
}

// BenchmarkFirstRead reads blocks that must be checked.
func BenchmarkFirstRead(b *testing.B) {
	m, v := benchVersion(b)
	must(b, v.Put(0, m.data))
	p := make([]byte, 128<<10)
	b.SetBytes(int64(len(p)))
	off := int64(0)
	for b.Loop() {
		if off == 0 {
			clear(v.table.checked)
		}
		_, err := v.ReadAt(p, off)
		must(b, err)
		off = (off + int64(len(p))) % int64(len(m.data))
	}
}

func BenchmarkPut(b *testing.B) {
	for _, blocks := range []format.BlockID{1, 64} {
		b.Run(fmt.Sprint(blocks), func(b *testing.B) {
			m, v := benchVersion(b)
			b.SetBytes(int64(blocks) * 4096)
			at := format.BlockID(0)
			for b.Loop() {
				if at+blocks > m.count() {
					at = 0
					must(b, v.Forget(m.header.Geometry().All()))
				}
				must(b, v.Put(at, m.blocks(at, at+blocks)))
				at += blocks
			}
		})
	}
}

// BenchmarkKnown scans the map of a 5 GiB image.
func BenchmarkKnown(b *testing.B) {
	v := &Version{table: newTable(format.Geometry{Length: 5 << 30, BlockSize: 4096})}
	end := format.BlockID(v.table.blocks)
	for b.Loop() {
		v.Known(0, end)
	}
}

// BenchmarkOpen opens a store of 10,000 versions.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s, err := Open(dir, Options{})
	must(b, err)
	var set []entry
	for i := range 10000 {
		key := Key{byte(i), byte(i >> 8)}
		name := provisionalName(key)
		must(b, os.Mkdir(s.versionsDir()+"/"+name, 0o700))
		set = append(set, keyEntry(key, name), accountEntry(name, account{key: key}))
	}
	must(b, s.commitIndex(set))
	must(b, s.Close())
	for b.Loop() {
		s, err := Open(dir, Options{})
		must(b, err)
		if s.Stats().Versions != 10000 {
			b.Fatal(s.Stats())
		}
		must(b, s.Close())
	}
}

// BenchmarkMeta puts a header of 600 bytes and makes it durable.
func BenchmarkMeta(b *testing.B) {
	s, err := Open(b.TempDir(), Options{CheckpointInterval: time.Hour})
	must(b, err)
	defer s.Close()
	value := make([]byte, 600)
	b.Run("Put", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			must(b, s.MetaPut(fmt.Sprint("header", i%10000), value))
		}
	})
	b.Run("PutCheckpoint", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			must(b, s.MetaPut(fmt.Sprint("header", i%10000), value))
			must(b, s.commitIndex(nil))
		}
	})
	b.Run("Get", func(b *testing.B) {
		must(b, s.MetaPut("header", value))
		for b.Loop() {
			_, err := s.MetaGet("header")
			must(b, err)
		}
	})
}
