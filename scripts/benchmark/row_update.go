package main

// The mixed images and the large sparse one, each with what it was made from.
const (
	mixedFolder = "mixed/"
	mixedOld    = mixedFolder + "old.img"
	mixedNew    = mixedFolder + "changed.img" // with parts written over in place
	mixedMoved  = mixedFolder + "shifted.img" // with stretches inserted

	sparseFolder = "sparse/"
	sparseNext   = sparseFolder + "changed.img" // the large sparse image, with parts written over
)

var deltaTimeMetrics = []metric{
	{key: "in-place/wall", title: "changed in place", unit: "s", lower: true, timed: true, goal: timesPeer(3)},
	{key: "in-place/cpu", title: "  CPU, all threads", unit: "s", lower: true},
	{key: "in-place/peak", title: "  largest resident size", unit: "MB", lower: true},
	{key: "in-place/sent", title: "  sent", unit: "MB", lower: true, goal: noWorse()},
	{key: "in-place/requests", title: "  requests", lower: true, goal: noWorse()},
	{key: "shifted/wall", title: "with insertions", unit: "s", lower: true},
	{key: "shifted/cpu", title: "  CPU, all threads", unit: "s", lower: true},
	{key: "shifted/peak", title: "  largest resident size", unit: "MB", lower: true},
	{key: "shifted/sent", title: "  sent", unit: "MB", lower: true, goal: noWorse()},
	{key: "shifted/requests", title: "  requests", lower: true, goal: noWorse()},
}

// deltaTime updates the mixed image to each of its next versions.
func deltaTime(mk maker) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		s := sample{}
		for _, u := range []struct{ key, target string }{{"in-place", mixedNew}, {"shifted", mixedMoved}} {
			if err := b.addUpdate(s, u.key, t, mk, u.target, mixedOld); err != nil {
				return nil, err
			}
		}
		return s, nil
	}
}

var deltaMemoryMetrics = []metric{
	{key: "update/peak", title: "largest resident size", unit: "MB", lower: true, goal: atMost(100)},
	{key: "update/wall", title: "time", unit: "s", lower: true},
	{key: "update/cpu", title: "CPU, all threads", unit: "s", lower: true},
	{key: "update/sent", title: "sent", unit: "MB", lower: true, goal: noWorse()},
	{key: "update/requests", title: "requests", lower: true, goal: noWorse()},
}

// deltaMemory updates the large sparse image.
func deltaMemory(mk maker) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		s := sample{}
		return s, b.addUpdate(s, "update", t, mk, sparseNext, sparseName)
	}
}

// addUpdate downloads a target and adds to s what that took, under key.
func (b *bench) addUpdate(s sample, key string, t *tool, mk maker, target, seed string) error {
	u, sent, err := b.download(t, mk, target, seed)
	if err != nil {
		return err
	}
	s[key+"/wall"], s[key+"/cpu"], s[key+"/peak"] = u.wall, u.cpu, u.peak
	s[key+"/sent"], s[key+"/requests"] = float64(sent.sent)/1e6, float64(sent.requests)
	return nil
}

// updateFiles are the files of these rows. The large sparse image is one of the
// mount's rows too.
func (b *bench) updateFiles() []file {
	files := []file{
		{mixedFolder, b.makeMixed},
		{sparseFolder, func() error {
			if err := b.newRootFolder(sparseFolder); err != nil {
				return err
			}
			return writeChanged(b.original(sparseNext), b.original(sparseName), b.sizes.Dense, 2*b.sizes.Dense, changed, 21)
		}},
	}
	files = append(files, b.controls(mixedFolder, "changed.img", "shifted.img")...)
	files = append(files, file{chunksFolder, func() error { return b.makeChunks(mixedNew, mixedMoved) }})
	return append(files, b.controls(sparseFolder, "changed.img")...)
}

func (b *bench) makeMixed() error {
	if err := b.newRootFolder(mixedFolder); err != nil {
		return err
	}
	old := b.original(mixedOld)
	if err := writeMixed(old, b.sizes.Mixed, 11); err != nil {
		return err
	}
	if err := writeChanged(b.original(mixedNew), old, 0, b.sizes.Mixed, changed, 12); err != nil {
		return err
	}
	return writeShifted(b.original(mixedMoved), old, changed, 13)
}
