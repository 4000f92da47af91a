package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// The files that are served, as paths below the web server's root. Folders end
// in a slash.
const (
	sparseName     = "sparse.img"              // the large image, mostly holes
	bulkName       = "bulk.img"                // random bytes
	lineName       = "line.img"                // random bytes, for what the line carries
	slowMade       = "slow/made/bulk.img"      // the bulk image again, in a folder of its own
	slowZsyncmake  = "slow/zsyncmake/bulk.img" // the same with a control file of Debian's
	artifacts      = "artifacts/"              // many small artifacts
	plainArtifacts = "plain/"                  // the same without control files
)

// artifactLength is the length of each of the many artifacts, in bytes. They
// begin with random bytes that no other has; the rest is a hole.
const artifactLength = 4 * mib

// artifactName is that of the i-th one; they sort as they are numbered.
func artifactName(i int) string { return fmt.Sprintf("artifact-%06d.img", i) }

// sizes are the lengths of files in bytes and the numbers of reads of a run.
type sizes struct {
	Sparse     int64 `json:"sparse_image"`
	Dense      int64 `json:"dense_part"` // the part of the sparse image without holes; it begins at Dense
	Bulk       int64 `json:"bulk_image"`
	Line       int64 `json:"line_image"`
	Artifacts  int   `json:"artifacts"` // number of files in the folder of many
	Random     int   `json:"random_reads"`
	LineRandom int   `json:"random_reads_on_the_line"`
	Mixed      int64 `json:"mixed_image"`
	Make       int64 `json:"image_to_make_a_control_file_of"`
	Seed       int64 `json:"seed_that_is_only_scanned"`
	Ten        int64 `json:"image_of_ten_versions"`

	Clients     int   `json:"clients"`
	ClientImage int64 `json:"image_that_clients_update"`

	// Of the rows of growth.
	Readers     [growthSteps]int   `json:"growth_readers"`
	GrowthReads int                `json:"growth_warm_reads"` // of all readers together
	Images      [growthSteps]int64 `json:"growth_images"`
	Folders     [growthSteps]int   `json:"growth_folders"` // numbers of artifacts
	Stored      [growthSteps]int   `json:"growth_versions"`
	Version     int64              `json:"growth_image_of_versions"`
}

const mib = 1 << 20

var (
	fullSizes = sizes{Sparse: 5 << 30, Dense: 1 << 30, Bulk: 512 * mib, Line: 128 * mib, Artifacts: 1000, Random: 500, LineRandom: 200,
		Mixed: 512 * mib, Make: 1 << 30, Seed: 256 * mib, Ten: 256 * mib,
		Clients: 200, ClientImage: 16 * mib,
		Readers: [...]int{1, 10, 100}, GrowthReads: 20000, Images: [...]int64{1 << 30, 10 << 30, 50 << 30},
		Folders: [...]int{10, 1000, 10000}, Stored: [...]int{1, 10, 100}, Version: 16 * mib}
	shortSizes = sizes{Sparse: 512 * mib, Dense: 64 * mib, Bulk: 64 * mib, Line: 16 * mib, Artifacts: 100, Random: 200, LineRandom: 50,
		Mixed: 64 * mib, Make: 128 * mib, Seed: 64 * mib, Ten: 32 * mib,
		Clients: 20, ClientImage: 4 * mib,
		Readers: [...]int{1, 4, 16}, GrowthReads: 2000, Images: [...]int64{64 * mib, 256 * mib, 1 << 30},
		Folders: [...]int{10, 100, 500}, Stored: [...]int{1, 4, 8}, Version: 4 * mib}
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

// length is the length of a served file, in bytes.
func (b *bench) length(name string) int64 {
	switch name {
	case sparseName:
		return b.sizes.Sparse
	case lineName:
		return b.sizes.Line
	}
	return b.sizes.Bulk // under each of its names
}

// file is a file, or a folder of files, that can be made.
type file struct {
	name string
	make func() error
}

// errUnavailable says that a file cannot be had here, which is nobody's fault.
var errUnavailable = errors.New("not available")

// makeData writes the files that the rows read, with their control files. The
// files that fail are remembered with the reason.
func (b *bench) makeData(needs map[string]bool) error {
	if needs[slowMade] || needs[slowZsyncmake] {
		needs[bulkName] = true
	}
	for _, f := range b.files() {
		if !needs[f.name] {
			continue
		}
		begin := time.Now()
		err := f.make()
		if b.ctx.Err() != nil {
			return b.ctx.Err()
		}
		if err != nil {
			b.failed[f.name] = fmt.Errorf("make %s: %w", f.name, err)
			continue
		}
		fmt.Printf("made %s in %.1f s\n", f.name, time.Since(begin).Seconds())
	}
	return nil
}

// files are all that can be made, each after those that it is made from.
func (b *bench) files() []file {
	return slices.Concat(b.mountFiles(), b.zsyncFiles(), b.versionFiles(), b.packedFiles(), b.growthFiles())
}

// mountFiles are the files of the rows of the mount, with their control files.
func (b *bench) mountFiles() []file {
	random := func(length int64) []content { return []content{{0, length}} }
	return []file{
		{sparseName, func() error { return b.makeImage(sparseName, sparseContent(b.sizes), 0) }},
		{bulkName, func() error { return b.makeImage(bulkName, random(b.sizes.Bulk), 1) }},
		{lineName, func() error { return b.makeImage(lineName, random(b.sizes.Line), 2) }},
		{slowMade, func() error { return b.linkBulk(slowMade, b.binary, "make", "-q", "--") }},
		{slowZsyncmake, func() error {
			program, err := b.path(debianZsyncmake)
			if err != nil {
				return err
			}
			name := filepath.Base(slowZsyncmake)
			return b.linkBulk(slowZsyncmake, program, "-u", name, "-o", name+".zsync", "--")
		}},
		{artifacts, b.makeArtifacts},
	}
}

// makeImage writes a file of the root and its control file.
func (b *bench) makeImage(name string, parts []content, seed uint64) error {
	path := b.original(name)
	if err := writeImage(path, b.length(name), parts, seed); err != nil {
		return err
	}
	return b.run("", b.binary, "make", "-q", path)
}

// linkBulk gives the bulk image another name, and makes a control file for that
// with a command, which runs in the file's folder and gets its name.
func (b *bench) linkBulk(name string, command ...string) error {
	path := b.original(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Link(b.original(bulkName), path); err != nil {
		return err
	}
	return b.run(filepath.Dir(path), append(command, filepath.Base(path))...)
}

// makeArtifacts fills both folders of many artifacts.
func (b *bench) makeArtifacts() error {
	for _, dir := range []string{artifacts, plainArtifacts} {
		if err := os.MkdirAll(b.original(dir), 0o755); err != nil {
			return err
		}
	}
	for i := range b.sizes.Artifacts {
		path := filepath.Join(b.original(artifacts), artifactName(i))
		if err := writeImage(path, artifactLength, []content{{0, readLength}}, uint64(1000+i)); err != nil {
			return err
		}
		if err := os.Link(path, filepath.Join(b.original(plainArtifacts), artifactName(i))); err != nil {
			return err
		}
	}
	return b.run("", b.binary, "make", "-q", "-r", b.original(artifacts))
}

// run runs a command in dir; "" is the present folder.
func (b *bench) run(dir string, command ...string) error {
	cmd := exec.CommandContext(b.ctx, command[0], command[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %.500s", command[0], err, out)
	}
	return nil
}

// original is the path of a served file on the local disk.
func (b *bench) original(name string) string { return filepath.Join(b.root, name) }

// writeImage makes a sparse file.
func writeImage(path string, length int64, parts []content, seed uint64) error {
	return writeFile(path, func(f *os.File) error { return fillImage(f, length, parts, seed) })
}

func fillImage(f *os.File, length int64, parts []content, seed uint64) error {
	if err := f.Truncate(length); err != nil {
		return err
	}
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	random := rand.NewChaCha8(key)
	for _, p := range parts {
		w := bufio.NewWriterSize(io.NewOffsetWriter(f, p.start), int(min(mib, p.length)))
		if _, err := io.CopyN(w, random, min(p.length, length-p.start)); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}
