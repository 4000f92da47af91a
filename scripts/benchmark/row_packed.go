package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"

	"github.com/zsyncfs/zsyncfs/format"
)

// packedFolder has a folder for each maker, with tars of the corpus as it
// compresses them (-z): the gzip file and the control file.
const packedFolder = "packed/"

// packedBig is a long tar, which all others of the corpus are a part of, as this
// project's maker compresses it.
const (
	packedBigFolder = packedFolder + "big/"
	packedBig       = packedBigFolder + "big.tar"
	packedBigTar    = packedFolder + "tar/big.tar" // itself
)

func (mk maker) packedFolder() string { return packedFolder + mk.name + "/" }

// packedUpdates are the pairs that are compressed, each with the paths of the tars.
func packedUpdates() []update { return append(updates(tar), largeUpdates()[1]) }

// packedRows are the rows of compressed artifacts.
var packedRows = makePackedRows()

func makePackedRows() []row {
	tars := []string{corpusFolder + tar + "/", largeFolder}
	making := row{
		name: "packed.make", title: "zsyncmake -z of tars", tools: []*tool{zsyncmake, debianZsyncmake},
		needs: []*tool{debianZsyncmake}, files: tars, measure: packedMake,
	}
	for _, u := range packedUpdates() {
		making.metrics = append(making.metrics,
			metric{key: u.target, title: path.Base(u.target), unit: "MB", lower: true, goal: atMostOfPeer(1.03)},
			metric{key: u.target + "/wall", title: "  time", unit: "s", lower: true, timed: true})
	}
	making.metrics = append(making.metrics,
		metric{key: "wall", title: "time of all", unit: "s", lower: true, timed: true, goal: timesPeer(3)})
	out := []row{making}
	for _, mk := range makers {
		files := append(slices.Clone(tars), mk.packedFolder())
		zsyncRow := row{name: "packed.zsync." + mk.name, title: "updates of compressed tars; " + mk.title,
			tools: []*tool{zsync, debianZsync}, needs: []*tool{mk.tool}, files: files, once: true, measure: packedUpdate(mk)}
		mountRow := row{name: "packed.mount." + mk.name, title: "the next version of a compressed tar in a mount; " + mk.title,
			tools: []*tool{zsyncfs, debianZsync}, needs: []*tool{mk.tool}, files: files, once: true, measure: packedNext(mk)}
		for _, u := range packedUpdates() {
			zsyncRow.metrics = append(zsyncRow.metrics,
				metric{key: u.key(), title: u.title, unit: "bytes sent", lower: true, goal: noWorse()},
				metric{key: u.key() + "/data", title: "  of these of the gzip file", lower: true, goal: noWorse()})
			mountRow.metrics = append(mountRow.metrics,
				metric{key: u.key(), title: u.title, unit: "bytes sent", lower: true, goal: atMostOfPeer(1.1)},
				metric{key: u.key() + "/data", title: "  of these of the gzip file", lower: true, goal: atMostOfPeer(1.1)})
		}
		out = append(out, zsyncRow, mountRow)
	}
	return append(out,
		row{name: "packed.random", title: "1,000 reads of 4 KiB of a long compressed tar, cold", tools: []*tool{zsyncfs},
			files: append(tars, packedBigFolder), measure: packedRandom, metrics: []metric{
				{key: "point", title: "of the gzip file, for each independent point touched", unit: "KiB", lower: true, goal: atMost(192)},
				{key: "iops", title: "reads per second"},
				{key: "sent", title: "bytes sent, of all files", unit: "MB", lower: true},
			}},
		row{name: "packed.line", title: "a long compressed tar read in order, cold, on the line", tools: []*tool{zsyncfs},
			files: append(tars, packedBigFolder), measure: packedLine, metrics: []metric{
				{key: "rate", title: "content", unit: "MB/s", timed: true, goal: atLeast(25)},
				{key: "sent", title: "bytes sent / length", lower: true},
			}})
}

// pack has a maker compress a tar in dir, which gets the gzip and the control file.
func (b *bench) pack(t *tool, tar, dir string) (usage, error) {
	name := path.Base(tar)
	if err := os.Link(b.original(tar), filepath.Join(dir, name)); err != nil {
		return usage{}, err
	}
	u, err := b.runProgram(dir, t, "-z", "-u", name+".gz", name)
	if err != nil {
		return u, err
	}
	return u, os.Remove(filepath.Join(dir, name))
}

// packedMake compresses each tar, and says how long the gzip files are.
func packedMake(b *bench, t *tool, repetition int) (sample, error) {
	s := sample{}
	for _, u := range packedUpdates() {
		dir, err := b.newFolder("pack")
		if err != nil {
			return nil, err
		}
		took, err := b.pack(t, u.target, dir)
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(filepath.Join(dir, path.Base(u.target)+".gz"))
		if err != nil {
			return nil, err
		}
		s[u.target], s[u.target+"/wall"] = float64(info.Size())/1e6, took.wall
		s["wall"] += took.wall
	}
	return s, nil
}

// packedUpdate downloads the next version of each pair with the one before as a
// seed, from its compressed form.
func packedUpdate(mk maker) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		s := sample{}
		for _, u := range packedUpdates() {
			_, sent, err := b.downloadBy(t, mk.packedFolder()+path.Base(u.target)+".zsync", u.target, u.seed)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", u.title, err)
			}
			s[u.key()], s[u.key()+"/data"] = float64(sent.sent), float64(sent.data)
		}
		return s, nil
	}
}

// packedNext reads the next version of each pair through a mount whose store has
// the one before; zsync has that as a seed.
func packedNext(mk maker) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		if t == debianZsync {
			return packedUpdate(mk)(b, t, repetition)
		}
		s := sample{}
		for _, u := range packedUpdates() {
			sent, err := b.packedNextOf(mk, u)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", u.title, err)
			}
			s[u.key()], s[u.key()+"/data"] = float64(sent.sent), float64(sent.data)
		}
		return s, nil
	}
}

func (b *bench) packedNextOf(mk maker, u update) (traffic, error) {
	height := b.res.mark()
	defer b.res.releaseTo(height)
	m, err := b.newMount(zsyncfs, b.base(direct)+mk.packedFolder(), path.Base(u.seed))
	if err != nil {
		return traffic{}, err
	}
	if err := b.readWhole(m.file, b.original(u.seed)); err != nil {
		return traffic{}, err
	}
	from, err := b.server.mark()
	if err != nil {
		return traffic{}, err
	}
	if err := b.readWhole(filepath.Join(m.dir, path.Base(u.target)), b.original(u.target)); err != nil {
		return traffic{}, err
	}
	b.res.releaseTo(height) // what is fetched in the background has ended
	entries, err := b.server.since(from)
	if err != nil {
		return traffic{}, err
	}
	url := "/" + mk.packedFolder() + path.Base(u.target)
	of, _ := split(entries, url, url+".gz", url+".zsync")
	return sum(of), nil
}

// packedRandom reads at many places of the long tar.
func packedRandom(b *bench, t *tool, repetition int) (sample, error) {
	info, err := os.Stat(b.original(packedBigTar))
	if err != nil {
		return nil, err
	}
	places := offsets(1000, info.Size(), uint64(repetition)+77)
	points, err := b.independentPoints(packedBig + ".zsync")
	if err != nil {
		return nil, err
	}
	touched := map[int]bool{}
	for _, off := range places {
		for _, at := range []int64{off, off + readLength - 1} {
			touched[sort.Search(len(points), func(i int) bool { return points[i] > at })] = true
		}
	}
	s := sample{}
	sent, err := b.counted(func() error {
		m, err := b.newMount(t, b.base(direct)+packedBigFolder, path.Base(packedBig))
		if err != nil {
			return err
		}
		took, err := readRandom(b.ctx, m.file, b.original(packedBigTar), places, false)
		s["iops"] = float64(len(places)) / took.Seconds()
		return err
	})
	if err != nil {
		return nil, err
	}
	s["point"] = float64(sent.data) / float64(len(touched)) / 1024
	s["sent"] = float64(sent.sent) / 1e6
	return s, nil
}

// independentPoints are where the target of a control file can be decoded without
// what is before, as its map tells.
func (b *bench) independentPoints(control string) ([]int64, error) {
	f, err := os.Open(b.original(control))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, err := format.ReadHeader(bufio.NewReader(f))
	if err != nil {
		return nil, err
	}
	m, err := format.NewZMap(h.ZMap, h.Length)
	if err != nil {
		return nil, err
	}
	var out []int64
	for i, p := range m.From(0) {
		if m.Restart(i) {
			out = append(out, p.Out)
		}
	}
	return out, nil
}

// packedLine reads the long tar in order.
func packedLine(b *bench, t *tool, repetition int) (sample, error) {
	info, err := os.Stat(b.original(packedBigTar))
	if err != nil {
		return nil, err
	}
	s := sample{}
	sent, err := b.counted(func() error {
		m, err := b.newMount(t, b.base(overLine)+packedBigFolder, path.Base(packedBig))
		if err != nil {
			return err
		}
		took, err := readAll(b.ctx, m.file, 0, info.Size())
		if err == nil && repetition == 0 {
			err = compare(m.file, b.original(packedBigTar), 0, info.Size())
		}
		s["rate"] = float64(info.Size()) / took.Seconds() / 1e6
		return err
	})
	if err != nil {
		return nil, err
	}
	s["sent"] = float64(sent.sent) / float64(info.Size())
	return s, nil
}

// packedFiles are the files of these rows.
func (b *bench) packedFiles() []file {
	var out []file
	for _, mk := range makers {
		out = append(out, file{mk.packedFolder(), func() error {
			if err := b.newRootFolder(mk.packedFolder()); err != nil {
				return err
			}
			done := map[string]bool{}
			for _, u := range packedUpdates() {
				for _, name := range []string{u.seed, u.target} {
					if done[name] {
						continue
					}
					done[name] = true
					if _, err := b.pack(mk.tool, name, b.original(mk.packedFolder())); err != nil {
						return err
					}
				}
			}
			return nil
		}})
	}
	return append(out, file{packedBigFolder, b.makePackedBig})
}

// makePackedBig makes the long tar, and compresses it.
func (b *bench) makePackedBig() error {
	for _, folder := range []string{packedBigFolder, path.Dir(packedBigTar)} {
		if err := b.newRootFolder(folder); err != nil {
			return err
		}
	}
	out, err := os.Create(b.original(packedBigTar))
	if err != nil {
		return err
	}
	defer out.Close()
	for _, u := range packedUpdates() {
		for _, name := range []string{u.target, u.seed} {
			if err := appendFile(out, b.original(name)); err != nil {
				return err
			}
		}
	}
	_, err = b.pack(zsyncmake, packedBigTar, b.original(packedBigFolder))
	return err
}

func appendFile(out io.Writer, path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(out, in)
	return err
}
