package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/cpu"
)

const (
	scanFolder = "scan/"
	scanTarget = scanFolder + "target.img" // random bytes
	scanSeed   = scanFolder + "seed.img"   // other random bytes, but for the samples

	samples      = 16       // stretches of the target in the seed, which show that all of it was scanned
	sampleLength = 64 << 10 // bytes; they begin at multiples of it in both files
)

// plainZsync is this project's zsync as it is on a CPU without the instructions
// that it has kernels for.
var plainZsync = &tool{
	name: "zsync in plain Go", program: "zsync", own: true, env: []string{"GODEBUG=cpu.avx512f=off,cpu.avx2=off"},
}

// oneLookup is the least that a search does for each offset of a seed, in plain Go.
var oneLookup = &tool{name: "one look-up each", limit: true}

// The rates, in MB per CPU-second, that the search must have in plain Go, and
// where all kernels can be used.
const plainScan, fastScan = 300, 1000

// hasAVX512 says whether all kernels can be used here.
func hasAVX512() bool { return cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL }

// kernels says by what the goal is chosen.
func kernels() string {
	if hasAVX512() {
		return "with AVX-512"
	}
	return "without AVX-512"
}

func scanGoal() *goal {
	if hasAVX512() {
		return atLeast(fastScan)
	}
	return atLeast(plainScan)
}

var scanMetrics = []metric{
	{key: "rate", title: "scanned per CPU-second", unit: "MiB", timed: true, goal: timesPeer(8)},
	{key: "rate-mb", title: "  the same: per CPU-second", unit: "MB", timed: true, goal: scanGoal()},
	{key: "plain", title: "  in plain Go: per CPU-second", unit: "MB", timed: true, goal: atLeast(plainScan), of: plainZsync},
	{key: "cpu", title: "  CPU, all threads", unit: "s", lower: true},
	{key: "cpu-without", title: "  of a run without a seed", unit: "s", lower: true},
	{key: "wall-rate", title: "scanned per second", unit: "MiB"},
	{key: "peak", title: "largest resident size", unit: "MB", lower: true},
}

// scan measures the search of a seed that matches nowhere, of which a program
// cannot be asked alone: the target is not on the server, so that a run ends
// with an error after the search, and a run without a seed has everything else
// (reading the control file, building the index, starting and failing). The
// program must have kept the samples in the file of what is not complete yet.
func scan(mk maker) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		if t == oneLookup {
			rate, err := b.lookups()
			return sample{"plain": rate}, err
		}
		with, without, err := b.search(t, mk)
		if err != nil {
			return nil, err
		}
		length := float64(b.sizes.Seed)
		s := sample{
			"rate": length / mib / (with.cpu - without.cpu), "rate-mb": length / 1e6 / (with.cpu - without.cpu),
			"cpu": with.cpu, "cpu-without": without.cpu,
			"wall-rate": length / mib / (with.wall - without.wall), "peak": with.peak,
		}
		if t == zsync {
			with, without, err = b.search(plainZsync, mk)
			s["plain"] = length / 1e6 / (with.cpu - without.cpu)
		}
		return s, err
	}
}

const (
	lookupWords = 1 << 17  // of 4 bytes: as much as zsync looks up in first at most, for most targets
	lookupData  = 64 << 20 // bytes, of the seed
	lookupBlock = 4096
	lookupMany  = 0x9E3779B1 // spreads rsums over the words
)

// lookups is how many MB of a seed go through one look-up each in a CPU-second: the rsum
// at each offset is rolled there from the one before, and a word of a table is loaded that
// it chooses. Nothing else is done, so a search of the same kind is no faster.
func (b *bench) lookups() (float64, error) {
	f, err := os.Open(b.original(scanSeed))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	data := make([]byte, min(b.sizes.Seed, lookupData))
	if _, err := io.ReadFull(f, data); err != nil {
		return 0, err
	}
	words := make([]uint32, lookupWords)
	for i := range words {
		words[i] = uint32(i) * lookupMany
	}
	out, in := data[:len(data)-lookupBlock], data[lookupBlock:]
	found := 0
	cpu, err := threadCPU(func() { found = lookUpEach(words, out, in) })
	if err == nil && found == 0 {
		err = errors.New("nothing was looked up")
	}
	return float64(len(out)) / 1e6 / cpu, err
}

// lookUpEach counts the rsums whose word has its highest bit. words are lookupWords; out
// and in, which are as long, are the bytes that leave and enter a block of lookupBlock.
func lookUpEach(words []uint32, out, in []byte) (found int) {
	words, in = words[:lookupWords], in[:len(out)]
	var a, c uint32
	for i, leaves := range out {
		a += uint32(in[i]) - uint32(leaves)
		c += a - lookupBlock*uint32(leaves)
		found += int(words[(a<<16|c&0xffff)*lookupMany/(1<<32/lookupWords)] >> 31)
	}
	return found
}

// search is what a run takes with a seed and what one takes without.
func (b *bench) search(t *tool, mk maker) (with, without usage, err error) {
	for range 2 { // the first time pays for memory that nobody has used yet
		if without, err = b.failToDownload(t, mk); err != nil {
			return with, without, err
		}
	}
	if with, err = b.failToDownload(t, mk, scanSeed); err != nil {
		return with, without, err
	}
	if with.cpu <= without.cpu || with.wall <= without.wall {
		return with, without, fmt.Errorf("the search took no time: %+v with a seed, %+v without", with, without)
	}
	return with, without, nil
}

// failToDownload runs zsync on the control file of a target that is not on the
// server.
func (b *bench) failToDownload(t *tool, mk maker, seeds ...string) (usage, error) {
	height := b.res.mark()
	defer b.res.releaseTo(height)
	dir, err := b.newFolder("download")
	if err != nil {
		return usage{}, err
	}
	args := []string{"-q"}
	for _, seed := range seeds {
		args = append(args, "-i", b.original(seed))
	}
	u, err := b.runProgram(dir, t, append(args, b.base(direct)+mk.control(scanTarget))...)
	if err == nil {
		return u, fmt.Errorf("a target that is not there was downloaded")
	}
	if u.cpu == 0 || len(seeds) == 0 {
		return u, nil
	}
	for i := range samples {
		at := sampleAt(i, b.sizes.Bulk)
		part := filepath.Join(dir, filepath.Base(scanTarget)+".part")
		if wrong := compare(part, b.original(scanTarget), at, at+sampleLength); wrong != nil {
			return u, fmt.Errorf("the seed was not scanned, or its blocks were not kept: %w (%w)", wrong, err)
		}
	}
	return u, nil
}

// sampleAt is the offset of a sample in a file of some length, the target or the
// seed.
func sampleAt(i int, length int64) int64 {
	each := length / samples
	return (each*int64(i) + each/2) / sampleLength * sampleLength
}

// scanFiles are the files of the row.
func (b *bench) scanFiles() []file {
	out := []file{{scanFolder, b.makeScan}}
	for _, mk := range makers {
		out = append(out, file{mk.controlFolder(scanFolder), func() error {
			return b.makeControlFor(mk, scanTarget, "/not-there/target.img")
		}})
	}
	return out
}

func (b *bench) makeScan() error {
	if err := b.newRootFolder(scanFolder); err != nil {
		return err
	}
	if err := writeImage(b.original(scanTarget), b.sizes.Bulk, []content{{0, b.sizes.Bulk}}, 31); err != nil {
		return err
	}
	if err := writeImage(b.original(scanSeed), b.sizes.Seed, []content{{0, b.sizes.Seed}}, 32); err != nil {
		return err
	}
	target, err := os.Open(b.original(scanTarget))
	if err != nil {
		return err
	}
	defer target.Close()
	seed, err := os.OpenFile(b.original(scanSeed), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer seed.Close()
	for i := range samples {
		from := io.NewSectionReader(target, sampleAt(i, b.sizes.Bulk), sampleLength)
		if _, err := io.Copy(io.NewOffsetWriter(seed, sampleAt(i, b.sizes.Seed)), from); err != nil {
			return err
		}
	}
	return seed.Sync()
}
