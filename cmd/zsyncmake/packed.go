package main

import (
	"context"
	"io"

	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
	"github.com/zsyncfs/zsyncfs/cmd/internal/packing"
	"github.com/zsyncfs/zsyncfs/format"
)

// makePacked is -z: it makes a gzip file of the target, and the control file of
// the target with a map of it.
func (m *maker) makePacked(ctx context.Context, j job, in *input) error {
	if in.gzip() {
		m.console.note("%s: a gzip file, which -z compresses once more", j.title())
	}
	j.packed = m.packedFile(j.file)
	j.packedName = j.name + ".gz"
	if m.compat { // 0.6.2 takes a map for the sign of a given gzip file
		packed := j.packed
		j = m.inside(j)
		j.packed, j.packedName = packed, j.packedName+".gz"
	}
	b, err := m.newBuilder(j, in)
	if err != nil {
		return err
	}
	if err := m.claim(j, j.packed, in); err != nil {
		return err
	}
	if err := m.save(j.packed, func(w io.Writer) error { return m.pack(ctx, w, b, in) }); err != nil {
		return named(j, err)
	}
	return m.finish(j, b)
}

// pack writes the gzip file to w and gives b the target and the map.
func (m *maker) pack(ctx context.Context, w io.Writer, b *format.Builder, in *input) error {
	z, err := packing.NewWriter(w, packing.Options{
		BlockSize: b.BlockSize(),
		Restart:   int64(m.restart),
		MTime:     making.CarriableTime(in.mtime),
	})
	if err != nil {
		return err
	}
	defer z.Close()
	if err := in.feed(ctx, io.MultiWriter(m.console.count(b), z)); err != nil {
		return err
	}
	raw, err := z.Finish()
	if err != nil {
		return err
	}
	return b.SetGzip(format.GzipDetails{ZMap: raw})
}
