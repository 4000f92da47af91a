package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	tenFolder = versionsFolder + "ten/"
	tenCount  = 10
)

// tenName is that of the i-th version.
func tenName(i int) string { return fmt.Sprintf("image-%02d.img", i+1) }

var tenRow = row{
	name: "versions.ten", title: "ten versions read one after the other, each with 2 % changed in place; the disk that they take when all is quiet",
	tools: []*tool{versionMount}, files: []string{tenFolder}, once: true, measure: tenVersions,
	metrics: []metric{
		{key: "disk", title: "the blocks' files, of the length of all different blocks", lower: true, goal: atMost(1.02)},
		{key: "store", title: "  the whole store, of the same", lower: true},
		{key: "disk-bytes", title: "the blocks' files", unit: "MB", lower: true},
		{key: "unique-bytes", title: "all different blocks", unit: "MB", lower: true},
		{key: "all-bytes", title: "all blocks", unit: "MB", lower: true},
		{key: "sent", title: "bytes sent of the versions, of the length of all different blocks", lower: true},
		{key: "quiet", title: "from the end of the reading until all was quiet", unit: "s", lower: true},
	},
}

// tenVersions lets the versions appear and reads them, one after the other, then
// waits until the store changes no more.
func tenVersions(b *bench, t *tool, repetition int) (sample, error) {
	unique, all, err := b.tenBlocks()
	if err != nil {
		return nil, err
	}
	cache, err := b.newFolder("cache")
	if err != nil {
		return nil, err
	}
	s, err := b.newSite()
	if err != nil {
		return nil, err
	}
	height := b.res.mark()
	out := sample{"unique-bytes": float64(unique) / 1e6, "all-bytes": float64(all) / 1e6}
	sent, err := b.logged(func() error {
		m, err := b.mountWith(t, b.base(direct)+s.folder, "", cache)
		if err != nil {
			return err
		}
		for i := range tenCount {
			if err := s.publish(tenFolder, tenName(i)); err != nil {
				return err
			}
			file := filepath.Join(m.dir, tenName(i))
			if err := b.waitAppears(file); err != nil {
				return err
			}
			if err := b.readWhole(file, b.original(tenFolder+tenName(i))); err != nil {
				return fmt.Errorf("%s: %w", tenName(i), err)
			}
		}
		begin := time.Now()
		if err := b.waitStoreQuiet(cache); err != nil {
			return err
		}
		out["quiet"] = (time.Since(begin) - quietFor).Seconds()
		for key, pattern := range map[string]string{"disk": "versions/*/data", "store": "*"} {
			n, err := diskUsage(filepath.Join(cache, pattern))
			if err != nil {
				return err
			}
			out[key] = float64(n) / float64(unique)
		}
		out["disk-bytes"] = out["disk"] * float64(unique) / 1e6
		b.res.releaseTo(height)
		return nil
	})
	out["sent"] = float64(sent.sent) / float64(unique)
	return out, err
}

// tenBlocks is the length of all blocks of the versions, and of the different ones.
func (b *bench) tenBlocks() (unique, all int64, err error) {
	length, err := blockLength(b.original(tenFolder + tenName(0) + ".zsync"))
	if err != nil {
		return 0, 0, err
	}
	seen := map[blockSum]bool{}
	for i := range tenCount {
		err := eachBlock(b.original(tenFolder+tenName(i)), length, func(_ int64, sum blockSum, n int) {
			all += int64(n)
			if !seen[sum] {
				seen[sum], unique = true, unique+int64(n)
			}
		})
		if err != nil {
			return 0, 0, err
		}
	}
	return unique, all, nil
}

// activity is what zsyncfs says of a store that changes while anything goes on.
// Listings come whenever somebody looks at a folder: they are none.
type activity struct {
	Store struct {
		Disk int64 `json:"disk_bytes"`
	} `json:"store"`
	Mounts []struct {
		Open []struct {
			Local   int64 `json:"blocks_local"`
			Fetches int   `json:"fetches"`
		} `json:"open"`
	} `json:"mounts"`
}

// fetching says whether anything is being fetched.
func (a activity) fetching() bool {
	for _, m := range a.Mounts {
		for _, o := range m.Open {
			if o.Fetches != 0 {
				return true
			}
		}
	}
	return false
}

// waitStoreQuiet returns when a store, and what its daemon says of it, has not
// changed for some time.
func (b *bench) waitStoreQuiet(cache string) error {
	before, since := "", time.Now()
	return b.waitFor("the store is quiet", quietWithin, func() (bool, error) {
		time.Sleep(200 * time.Millisecond)
		text, err := exec.CommandContext(b.ctx, b.binary, "status", "--json", "--cache-dir", cache).Output()
		if err != nil {
			return false, fmt.Errorf("zsyncfs status: %w", err)
		}
		var a activity
		if err := json.Unmarshal(text, &a); err != nil {
			return false, fmt.Errorf("zsyncfs status: %w", err)
		}
		disk, err := diskUsage(filepath.Join(cache, "*"))
		if err != nil {
			return false, err
		}
		if now := fmt.Sprint(a, disk); now != before || a.fetching() {
			before, since = now, time.Now()
		}
		return time.Since(since) >= quietFor, nil
	})
}

// diskUsage is how many bytes of the disk the files take up that are at or below
// what a pattern names. A file with several names counts once.
func diskUsage(pattern string) (int64, error) {
	roots, err := filepath.Glob(pattern)
	if err != nil {
		return 0, err
	}
	total, seen := int64(0), map[uint64]bool{}
	for _, root := range roots {
		err := filepath.WalkDir(root, func(_ string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return ignoreGone(err)
			}
			info, err := d.Info()
			if err != nil {
				return ignoreGone(err)
			}
			if st, ok := info.Sys().(*syscall.Stat_t); ok && !seen[st.Ino] {
				seen[st.Ino], total = true, total+st.Blocks*512
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return total, nil
}

// ignoreGone leaves out what a daemon has removed meanwhile.
func ignoreGone(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// tenFiles are the files of the row.
func (b *bench) tenFiles() file {
	return file{tenFolder, func() error { return b.makeSeries(b.ten()) }}
}

func (b *bench) ten() series { return series{tenFolder, tenName, tenCount, b.sizes.Ten, 60} }
