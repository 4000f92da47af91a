package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The files that are served.
const (
	sparseName = "sparse.img" // the large image, mostly holes
	bulkName   = "bulk.img"   // random bytes
	lineName   = "line.img"   // random bytes, for what the line carries
)

// sizes are the lengths of files in bytes and the numbers of reads of a run.
type sizes struct {
	Sparse     int64 `json:"sparse_image"`
	Dense      int64 `json:"dense_part"` // the part of the sparse image without holes; it begins at Dense
	Bulk       int64 `json:"bulk_image"`
	Line       int64 `json:"line_image"`
	Random     int   `json:"random_reads"`
	LineRandom int   `json:"random_reads_on_the_line"`
}

const mib = 1 << 20

var (
	fullSizes  = sizes{Sparse: 5 << 30, Dense: 1 << 30, Bulk: 512 * mib, Line: 128 * mib, Random: 500, LineRandom: 200}
	shortSizes = sizes{Sparse: 512 * mib, Dense: 64 * mib, Bulk: 64 * mib, Line: 16 * mib, Random: 200, LineRandom: 50}
)

// content is a stretch of a file that has random bytes; elsewhere are zeros.
type content struct{ start, length int64 }

// sparseContent: a dense part for sequential reading, and 1 MiB in each 64.
func sparseContent(z sizes) []content {
	var out []content
	for at := int64(0); at < z.Sparse; at += 64 * mib {
		if at < z.Dense || at >= 2*z.Dense {
			out = append(out, content{at, mib})
		}
	}
	return append(out, content{z.Dense, z.Dense})
}

// makeData writes the files that the rows read, with their control files.
func (b *bench) makeData(needs map[string]bool) error {
	files := []struct {
		name    string
		length  int64
		content []content
	}{
		{sparseName, b.sizes.Sparse, sparseContent(b.sizes)},
		{bulkName, b.sizes.Bulk, []content{{0, b.sizes.Bulk}}},
		{lineName, b.sizes.Line, []content{{0, b.sizes.Line}}},
	}
	for i, f := range files {
		if !needs[f.name] {
			continue
		}
		begin := time.Now()
		path := b.original(f.name)
		if err := writeImage(path, f.length, f.content, uint64(i)); err != nil {
			return err
		}
		if out, err := exec.CommandContext(b.ctx, b.binary, "make", "-q", path).CombinedOutput(); err != nil {
			return fmt.Errorf("zsyncfs make: %w: %s", err, out)
		}
		fmt.Printf("made %s, %d MiB, and its control file in %.1f s\n", f.name, f.length/mib, time.Since(begin).Seconds())
	}
	return nil
}

// original is the path of a served file on the local disk.
func (b *bench) original(name string) string { return filepath.Join(b.root, name) }

// writeImage makes a sparse file and writes it to the disk, so that the
// writing does not go on under the measurements.
func writeImage(path string, length int64, parts []content, seed uint64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(length); err != nil {
		return err
	}
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	random := rand.NewChaCha8(key)
	for _, p := range parts {
		w := bufio.NewWriterSize(io.NewOffsetWriter(f, p.start), mib)
		if _, err := io.CopyN(w, random, min(p.length, length-p.start)); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return f.Sync()
}
