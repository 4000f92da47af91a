package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// growthSteps is the number of sizes of a row of growth.
const growthSteps = 3

// growthRows are the rows of growth. Work is measured in CPU time where it can be,
// which other work on the machine changes less.
var growthRows = []row{growthReadersRow, growthImageRow, growthArtifactsRow, growthVersionsRow}

// growthFiles are the files that only these rows have.
func (b *bench) growthFiles() []file {
	return []file{b.growthImageFiles(), b.growthArtifactFiles(), b.growthVersionFiles()}
}

// quantity is a number that a row of growth has for each of its sizes.
type quantity struct {
	key, title, unit string
	timed            bool  // it is about time
	each             *goal // of the number of each size
	flat             *goal // of the largest size's, as a multiple of the smallest's
	base             int   // the size that flat is a multiple of instead, when the smallest says little
	last             bool  // the smallest size has no number, and nothing is compared
}

// growthRow is about how what zsyncfs takes grows with a size. labels are the
// sizes in words; steps measures all of them.
func growthRow(name, title, files string, labels func(z sizes) [growthSteps]string, all []quantity, steps measure) row {
	r := row{
		name: "growth." + name, title: title, tools: []*tool{zsyncfs}, files: []string{files},
		sized: func(z sizes) []metric { return growthMetrics(labels(z), all) },
		measure: func(b *bench, t *tool, repetition int) (sample, error) {
			s, err := steps(b, t, repetition)
			if err == nil {
				addGrowth(s, all)
			}
			return s, err
		},
	}
	r.metrics = r.sized(fullSizes)
	return r
}

// growthMetrics has a line for each size, and one for how the number grows.
func growthMetrics(labels [growthSteps]string, all []quantity) []metric {
	var out []metric
	for _, q := range all {
		for i, label := range labels {
			if i == 0 && q.last {
				continue
			}
			out = append(out, metric{
				key: stepKey(q.key, i), title: q.title + ", " + label, unit: q.unit, lower: true, timed: q.timed, goal: q.each,
			})
		}
		if q.last {
			continue
		}
		title := strings.TrimSpace(q.title) + ", largest / " + [...]string{"smallest", "middle"}[q.base]
		if q.timed {
			title += " in time"
		}
		out = append(out, metric{key: q.key + "/growth", title: title, lower: true, timed: q.timed, goal: q.flat})
	}
	return out
}

// stepKey is the key of a quantity's number for the i-th size.
func stepKey(key string, i int) string { return fmt.Sprintf("%s/%d", key, i) }

// addGrowth adds how the quantities grow to their numbers.
func addGrowth(s sample, all []quantity) {
	for _, q := range all {
		base, largest := s[stepKey(q.key, q.base)], s[stepKey(q.key, growthSteps-1)]
		if base != 0 && !q.last {
			s[q.key+"/growth"] = largest / base
		}
	}
}

// eachStep measures one size after the other, and releases what that started.
func eachStep(step func(b *bench, i, repetition int) (sample, error)) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		out := sample{}
		for i := range growthSteps {
			height := b.res.mark()
			s, err := step(b, i, repetition)
			b.res.releaseTo(height)
			if err != nil {
				return nil, fmt.Errorf("size %d: %w", i+1, err)
			}
			for key, v := range s {
				out[stepKey(key, i)] = v
			}
		}
		return out, nil
	}
}

// once is a row that is measured once: it takes long.
func once(r row) row {
	r.once = true
	return r
}

// numbered says a number of things in words.
func numbered(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// milliseconds are those since begin.
func milliseconds(begin time.Time) float64 { return time.Since(begin).Seconds() * 1e3 }

// cpuOf is the CPU time that the daemon of a mount has used meanwhile, in seconds.
func (m *mounted) cpuOf(work func() error) (float64, error) {
	pid, err := m.daemon()
	if err != nil {
		return 0, err
	}
	before, err := processCPU(pid)
	if err != nil {
		return 0, err
	}
	if err := work(); err != nil {
		return 0, err
	}
	after, err := processCPU(pid)
	return after - before, err
}

// together does something in some goroutines and waits for all.
func together(count int, do func(i int) error) error {
	errs := make([]error, count)
	var group sync.WaitGroup
	for i := range count {
		group.Go(func() { errs[i] = do(i) })
	}
	group.Wait()
	return errors.Join(errs...)
}
