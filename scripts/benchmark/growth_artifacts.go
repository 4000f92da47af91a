package main

import (
	"fmt"
	"os"
)

const (
	growthFolders        = "growth/folders/" // a folder for each number
	growthArtifactLength = 64 << 10          // bytes
)

// growthFolder is that of the i-th number of artifacts.
func growthFolder(i int) string { return fmt.Sprintf("%s%d/", growthFolders, i) }

// growthArtifactsRow: the web server's listing of a folder is one page, which must
// be there before a file in it can be seen. So the first byte of a file comes
// later, the longer this page is. The smallest folder costs what any first listing
// does, which its few artifacts have to bear.
var growthArtifactsRow = growthRow("artifacts", `the first "ls -l" of a folder of artifacts, and one file in it; the listing is one page, which grows`, growthFolders,
	func(z sizes) (out [growthSteps]string) {
		for i, n := range z.Folders {
			out[i] = numbered(n, "artifact", "artifacts")
		}
		return out
	},
	[]quantity{
		{key: "list", title: "ls -l / artifact", unit: "us", timed: true, base: 1, flat: atMost(1.5)},
		{key: "cpu", title: "  CPU of the daemon / artifact", unit: "us", timed: true, base: 1, flat: atMost(1.5)},
		{key: "sent", title: "bytes sent / artifact", base: 1, flat: atMost(1.5)},
		{key: "now", title: "resident size", unit: "MB"},
		{key: "each", title: "  / artifact that the smallest folder has not", unit: "kB", last: true},
		{key: "first", title: "from the mount command to the first 4 KiB of a file", unit: "ms", timed: true},
	}, func(b *bench, t *tool, repetition int) (sample, error) {
		s, err := eachStep(growArtifacts)(b, t, repetition)
		if err != nil {
			return nil, err
		}
		for i := 1; i < growthSteps; i++ {
			more := s[stepKey("now", i)] - s[stepKey("now", 0)]
			s[stepKey("each", i)] = more * 1e3 / float64(b.sizes.Folders[i]-b.sizes.Folders[0])
		}
		return s, nil
	})

func growArtifacts(b *bench, i, _ int) (sample, error) {
	count, s := b.sizes.Folders[i], sample{}
	base, name := b.base(direct)+growthFolder(i), artifactName(count/2)
	got, err := b.counted(func() error {
		m, err := b.newMount(zsyncfs, base, "")
		if err != nil {
			return err
		}
		cpu, err := m.cpuOf(func() (err error) {
			took, err := b.list(m.dir, count, growthArtifactLength)
			s["list"] = took / float64(count) * 1e6
			return err
		})
		if err != nil {
			return err
		}
		_, now, err := m.memory()
		s["cpu"], s["now"] = cpu/float64(count)*1e6, float64(now)/1e6
		return err
	})
	if err != nil {
		return nil, err
	}
	s["sent"] = float64(got.sent) / float64(count)
	m, err := b.newMount(zsyncfs, base, name)
	if err != nil {
		return nil, err
	}
	p, err := firstRead(m.file, 0)
	s["first"] = milliseconds(m.begin)
	if err != nil {
		return nil, err
	}
	return s, compareReads(p, b.original(growthFolder(i)+name), []int64{0})
}

// growthArtifactFiles are the files of the row: the smaller folders have files of
// the largest.
func (b *bench) growthArtifactFiles() file {
	return file{growthFolders, func() error {
		const largest = growthSteps - 1
		for i := range growthSteps {
			if err := os.MkdirAll(b.original(growthFolder(i)), 0o755); err != nil {
				return err
			}
		}
		for k := range b.sizes.Folders[largest] {
			if err := b.growthArtifact(largest, k); err != nil {
				return err
			}
		}
		if err := b.run("", b.binary, "make", "-q", "-r", b.original(growthFolder(largest))); err != nil {
			return err
		}
		for i := range largest {
			for k := range b.sizes.Folders[i] {
				for _, name := range []string{artifactName(k), artifactName(k) + ".zsync"} {
					if err := os.Link(b.original(growthFolder(largest)+name), b.original(growthFolder(i)+name)); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}}
}

// growthArtifact makes an artifact. To write each to the disk at once would take long.
func (b *bench) growthArtifact(folder, k int) error {
	f, err := os.Create(b.original(growthFolder(folder) + artifactName(k)))
	if err != nil {
		return err
	}
	defer f.Close()
	return fillImage(f, growthArtifactLength, []content{{0, readLength}}, uint64(100_000+k))
}
