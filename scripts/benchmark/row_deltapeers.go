package main

import "path"

var deltaPeersMetrics = []metric{
	{key: "in-place/wall", title: "changed in place", unit: "s", lower: true, timed: true, goal: atMost(0.85)},
	{key: "in-place/cpu", title: "  CPU, all threads", unit: "s", lower: true},
	{key: "in-place/sent", title: "  sent", unit: "MB", lower: true},
	{key: "in-place/requests", title: "  requests", lower: true},
	{key: "shifted/wall", title: "with insertions", unit: "s", lower: true},
	{key: "shifted/cpu", title: "  CPU, all threads", unit: "s", lower: true},
	{key: "shifted/sent", title: "  sent", unit: "MB", lower: true},
	{key: "shifted/requests", title: "  requests", lower: true},
}

// deltaPeersRow has the updates of the rows "delta-time" beside programs that do
// the same in another way. They are in no goal of this one but by the ratios: what
// they send is theirs, and rsync has the server compute.
func deltaPeersRow() row {
	mk := makers[1]
	return row{
		name: "delta-peers", title: "update of an image with 2 % changed, from the seed to the verified file, by other programs than zsync; " + mk.title,
		tools: []*tool{zsync, casync, rsync}, needs: []*tool{mk.tool},
		files:   []string{mixedFolder, mk.controlFolder(mixedFolder), chunksFolder},
		metrics: deltaPeersMetrics, measure: deltaPeers(mk),
		bound: "half a GiB that the system copies into the page cache (write), and its SHA-1 and SHA-256 (row make has what " +
			"openssl needs for these of a whole GiB): on two CPUs no less than half of what they take together",
		often: 3, // one in ten takes a tenth longer, as the disk is busy, and there is no more than that to the goal
	}
}

// deltaPeers updates the mixed image to each of its next versions. rsync's server
// counts no requests.
func deltaPeers(mk maker) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		s := sample{}
		for _, u := range []struct{ key, target string }{{"in-place", mixedNew}, {"shifted", mixedMoved}} {
			took, sent, err := b.peerUpdate(t, mk, u.target, mixedOld)
			if err != nil {
				return nil, err
			}
			s[u.key+"/wall"], s[u.key+"/cpu"], s[u.key+"/sent"] = took.wall, took.cpu, float64(sent.sent)/1e6
			if t != rsync {
				s[u.key+"/requests"] = float64(sent.requests)
			}
		}
		return s, nil
	}
}

// peerUpdate makes a target in an empty folder, compares it, and returns what the
// program took and was sent.
func (b *bench) peerUpdate(t *tool, mk maker, target, seed string) (u usage, sent traffic, err error) {
	height := b.res.mark()
	defer b.res.releaseTo(height)
	dir, err := b.newFolder("download")
	if err != nil {
		return u, sent, err
	}
	var d *rsyncd
	if t == rsync {
		if d, err = b.startRsyncd(); err != nil {
			return u, sent, err
		}
	}
	if err := b.prepare(t, dir, target, seed); err != nil {
		return u, sent, err
	}
	sent, err = b.logged(func() error {
		u, err = b.updater(t, mk, d)(dir, target, seed)
		return err
	})
	if err == nil && d != nil {
		sent.sent, err = d.sent(1)
	}
	if err != nil {
		return u, sent, err
	}
	return u, sent, same(path.Join(dir, path.Base(target)), b.original(target))
}
