//go:build unix

package seed

import (
	"bytes"
	"context"
	"fmt"
	"syscall"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// perCPU reports the bytes of each round per second of the process's CPU time: the
// clock on the wall says little on a machine that does other things.
func perCPU(b *testing.B, bytes int) func() {
	start := cpuTime()
	return func() {
		b.ReportMetric(float64(bytes)*float64(b.N)/1e6/(cpuTime()-start), "MB/cpu-s")
	}
}

// cpuTime is how many seconds of CPU this process took.
func cpuTime() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// benchScan scans seed on one core, for all blocks each time.
func benchScan(b *testing.B, t target, seed []byte) { benchRuns(b, t, seed, 0) }

// benchRuns is benchScan for runs of least blocks.
func benchRuns(b *testing.B, t target, seed []byte, least int) {
	x := t.index(b)
	b.SetBytes(int64(len(seed)))
	defer perCPU(b, len(seed))()
	var stats Stats
	for b.Loop() {
		missing := NewMissing(t.header.Geometry().BlockCount())
		var err error
		stats, err = x.Scan(context.Background(), bytes.NewReader(seed), int64(len(seed)), missing,
			func(format.BlockID, []byte, int64) error { return nil }, Options{Workers: 1, LeastRun: least})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(100*float64(stats.Found)/float64(t.header.Length), "%found")
}

func BenchmarkNoMatch(b *testing.B) {
	seed := randomBytes(1, 256<<20)
	for _, length := range []int64{64 << 20, 512 << 20, 5 << 30} {
		for _, block := range []int{2048, 4096} {
			for _, l := range benchLengths {
				b.Run(fmt.Sprintf("target=%dMiB/block=%d/seq=%d", length>>20, block, l.SeqMatches), func(b *testing.B) {
					benchScan(b, randomRecords(length, block, l), seed)
				})
			}
		}
	}
}

func BenchmarkAllMatch(b *testing.B) {
	for _, block := range []int{2048, 4096} {
		for _, l := range benchLengths {
			b.Run(fmt.Sprintf("block=%d/seq=%d", block, l.SeqMatches), func(b *testing.B) {
				data := randomBytes(1, 64<<20)
				benchScan(b, newTarget(data, block, checksum.MD4, l), data)
			})
		}
	}
}

// BenchmarkChanged has 2 % of the blocks overwritten.
func BenchmarkChanged(b *testing.B) {
	for _, l := range benchLengths {
		b.Run(fmt.Sprintf("seq=%d", l.SeqMatches), func(b *testing.B) {
			data := randomBytes(1, 64<<20)
			t := newTarget(data, 4096, checksum.MD4, l)
			seed := bytes.Clone(data)
			for i := 0; i < len(seed); i += 50 * 4096 {
				copy(seed[i:], randomBytes(byte(i), 4096))
			}
			benchScan(b, t, seed)
		})
	}
}

// BenchmarkLeastRun is what the benchmarks above do, for runs of some blocks only; of
// the copies the seed has one, and the target four.
func BenchmarkLeastRun(b *testing.B) {
	for _, l := range benchLengths {
		data := randomBytes(1, 64<<20)
		changed := bytes.Clone(data)
		for i := 0; i < len(changed); i += 50 * 4096 {
			copy(changed[i:], randomBytes(byte(i), 4096))
		}
		t := newTarget(data, 4096, checksum.MD4, l)
		copies := newTarget(bytes.Repeat(data[:16<<20], 4), 4096, checksum.MD4, l)
		for _, least := range []int{0, 2, 4, 8} {
			run := func(what string, t target, seed []byte) {
				b.Run(fmt.Sprintf("seq=%d/least=%d/%s", l.SeqMatches, least, what), func(b *testing.B) {
					benchRuns(b, t, seed, least)
				})
			}
			run("none", randomRecords(512<<20, 4096, l), data)
			run("all", t, data)
			run("changed", t, changed)
			run("copies", copies, data[:16<<20])
		}
	}
}

func BenchmarkIndex(b *testing.B) {
	for _, l := range benchLengths {
		b.Run(fmt.Sprintf("seq=%d", l.SeqMatches), func(b *testing.B) {
			t := randomRecords(5<<30, 4096, l)
			for b.Loop() {
				t.index(b)
			}
		})
	}
}

func BenchmarkAdversary(b *testing.B) {
	for name, make := range adversaries() {
		for _, l := range benchLengths {
			b.Run(fmt.Sprintf("%s/seq=%d", name, l.SeqMatches), func(b *testing.B) {
				t, seed := make(l)
				benchScan(b, t, bytes.Repeat(seed, 8))
			})
		}
	}
}
