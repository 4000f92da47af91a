package main

import "os"

var memoryMetrics = []metric{
	{key: "peak", title: "largest resident size", unit: "MB", lower: true, goal: atMost(100)},
	{key: "now", title: "resident size at the end", unit: "MB", lower: true},
}

// memoryOfDaemon reads at random all over the large image, and then its dense
// part in order, and looks at the daemon while the file is still open in it.
func memoryOfDaemon(b *bench, t *tool, repetition int) (sample, error) {
	m, err := b.newMount(t, b.base(direct), sparseName)
	if err != nil {
		return nil, err
	}
	held, err := os.Open(m.file)
	if err != nil {
		return nil, err
	}
	defer held.Close()
	places := offsets(b.sizes.Random, b.sizes.Sparse, uint64(repetition))
	if _, err := readRandom(b.ctx, m.file, b.original(sparseName), places, false); err != nil {
		return nil, err
	}
	if _, err := readAll(b.ctx, m.file, b.sizes.Dense, 2*b.sizes.Dense); err != nil {
		return nil, err
	}
	peak, now, err := m.memory()
	return sample{"peak": float64(peak) / 1e6, "now": float64(now) / 1e6}, err
}
