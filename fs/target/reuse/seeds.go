package reuse

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// mostFiles of a folder are looked at, and of those mostAlike are scanned, whose
	// names are most like the target's.
	mostFiles, mostAlike = 100_000, 8
)

// scanSeeds scans the files that the user named.
func (f *Finder) scanSeeds(ctx context.Context, _ []*relative) error {
	seen := map[string]bool{}
	for _, seed := range f.o.Seeds {
		files, err := f.files(ctx, seed)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			f.o.Warn(fmt.Errorf("seed not used: %w", err))
		}
		for _, file := range files {
			full, err := filepath.Abs(file)
			if err != nil {
				full = file
			}
			if seen[full] || f.o.Missing.Count() == 0 {
				continue
			}
			seen[full] = true
			if err := f.judge(ctx, f.scanFile(ctx, file)); err != nil {
				return err
			}
		}
	}
	return nil
}

// scanFile scans one seed.
func (f *Finder) scanFile(ctx context.Context, name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	index, err := f.makeIndex()
	if err != nil {
		return err
	}
	f.o.Begin(name, info.Size())
	stats, err := index.ScanFile(ctx, name, f.o.Name, f.o.Missing, f.put, f.scanOptions())
	if err == nil && stats.Broken != nil {
		f.o.Warn(fmt.Errorf("%s: only the part before the fault was used: %w", name, stats.Broken))
	}
	return err
}

// files are the files to scan for a seed: itself, or of a folder those with a name
// like the target's, the likeliest first. Errors: ctx's; what Options.Avoid has to say.
func (f *Finder) files(ctx context.Context, seed string) ([]string, error) {
	avoid := f.o.Avoid()
	at, err := filepath.Abs(seed)
	if err == nil {
		err = outside(at, avoid)
	}
	if err != nil {
		return nil, err
	}
	if at, err = filepath.EvalSymlinks(at); err != nil {
		return []string{seed}, nil // what is wrong is told when it is read
	}
	if err := outside(at, avoid); err != nil {
		return nil, fmt.Errorf("%s: %w", seed, err)
	}
	info, err := os.Stat(at)
	if err != nil || !info.IsDir() {
		return []string{seed}, nil
	}
	type file struct {
		path     string
		likeness float64
	}
	var all []file
	count := 0
	err = filepath.WalkDir(at, func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case slices.Contains(avoid, name) && !d.IsDir(): // a file that is bound there
			return nil
		case slices.Contains(avoid, name):
			return fs.SkipDir
		case err != nil:
			return nil // what cannot be read is left out
		}
		if count++; count > mostFiles {
			return fs.SkipAll
		}
		if n := likeness(f.targetName(), d.Name()); d.Type().IsRegular() && n >= leastLikeness {
			all = append(all, file{name, n})
		}
		return nil
	})
	slices.SortStableFunc(all, func(a, b file) int { return cmp.Compare(b.likeness, a.likeness) })
	var out []string
	for _, a := range all[:min(len(all), mostAlike)] {
		out = append(out, a.path)
	}
	return out, err
}

// outside fails when path is one of dirs or lies in one.
func outside(path string, dirs []string) error {
	for _, dir := range dirs {
		if rest, ok := strings.CutPrefix(path, dir); ok && (rest == "" || rest[0] == '/') {
			return fmt.Errorf("%s lies in the mount on %s", path, dir)
		}
	}
	return nil
}

// targetName is the name that the target has where its control file lies.
func (f *Finder) targetName() string {
	if u := f.o.Control.URL; u != nil {
		return strings.TrimSuffix(path.Base(u.Path), ".zsync")
	}
	return f.o.Name
}
