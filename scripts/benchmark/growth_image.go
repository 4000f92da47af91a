package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	growthImages = "growth/images/" // a folder for each size

	growthParts = 64   // stretches of 1 MiB without holes in each image
	growthPlace = 1000 // reads
)

// growthImage is the image of the i-th size.
func growthImage(i int) string { return fmt.Sprintf("%s%d/image.img", growthImages, i) }

// growthImageRow: an image of any length has as many bytes that are no holes, and
// as many reads of these. What grows is the control file, of which only what is
// needed for the reads is fetched: the daemon has an index of it, whose memory and
// whose fetching may grow a little.
var growthImageRow = growthRow("image", "cold reads of 4 KiB at random in a sparse image; the data are as many in each", growthImages,
	func(z sizes) (out [growthSteps]string) {
		for i, n := range z.Images {
			out[i] = fmt.Sprintf("%v GiB", float64(n)/(1<<30))
		}
		return out
	},
	[]quantity{
		{key: "first", title: "open until the first 4 KiB", unit: "ms", timed: true, flat: atMost(1.5)},
		{key: "now", title: "resident size after the reads", unit: "MB", flat: atMost(1.5)},
		{key: "cpu", title: "CPU / read", unit: "us", timed: true, flat: atMost(1.5)},
		{key: "sent", title: "bytes sent / byte read", flat: atMost(1.5)},
	}, eachStep(growImage))

func growImage(b *bench, i, repetition int) (sample, error) {
	name, s := growthImage(i), sample{}
	places := b.growthPlaces(i, repetition)
	height := b.res.mark()
	got, err := b.logged(func() error {
		defer b.res.releaseTo(height)
		m, err := b.newMount(zsyncfs, b.base(direct)+filepath.Dir(name)+"/", filepath.Base(name))
		if err != nil {
			return err
		}
		begin := time.Now()
		if _, err := firstRead(m.file, places[0]); err != nil {
			return err
		}
		s["first"] = milliseconds(begin)
		held, err := os.Open(m.file)
		if err != nil {
			return err
		}
		defer held.Close()
		cpu, err := m.cpuOf(func() error {
			_, err := readRandom(b.ctx, m.file, b.original(name), places, false)
			return err
		})
		if err != nil {
			return err
		}
		_, now, err := m.memory()
		s["cpu"], s["now"] = cpu/growthPlace*1e6, float64(now)/1e6
		return err
	})
	s["sent"] = float64(got.sent) / (growthPlace * readLength)
	return s, err
}

// growthStride is the distance of the stretches of the i-th image.
func (b *bench) growthStride(i int) int64 { return b.sizes.Images[i] / growthParts }

// growthPlaces are places for reads in the stretches.
func (b *bench) growthPlaces(i, repetition int) []int64 {
	places := offsets(growthPlace, growthParts*mib, uint64(repetition))
	for k, off := range places {
		places[k] = off/mib*b.growthStride(i) + off%mib/readLength*readLength
	}
	return places
}

// growthImageFiles are the files of the row. The control file of the largest takes
// a minute: a hole is summed like anything else.
func (b *bench) growthImageFiles() file {
	return file{growthImages, func() error {
		for i, length := range b.sizes.Images {
			path := b.original(growthImage(i))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			var parts []content
			for k := range int64(growthParts) {
				parts = append(parts, content{k * b.growthStride(i), mib})
			}
			if err := writeImage(path, length, parts, uint64(80+i)); err != nil {
				return err
			}
			if err := b.made(path); err != nil {
				return err
			}
		}
		return nil
	}}
}
