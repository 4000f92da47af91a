package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// versionGroup are pairs of files of which each is a version of the other.
type versionGroup struct {
	name, title string
	from        string // the folder that has the files
	updates     []update
}

var versionGroups = []versionGroup{
	{"tar", "packages as tar", corpusFolder + tar + "/", updates(tar)},
	{"native", "packages as published (.tgz)", corpusFolder + native + "/", updates(native)},
	{"large", "a large package", largeFolder, largeUpdates()},
	{"image", "an ext4 image of a Debian, updated in place", debianFolder, []update{
		{"image of a Debian", debianNew, debianOld},
	}},
}

// folder has the group's files with the control files of a maker beside them.
func (g versionGroup) folder(mk maker) string {
	return versionsFolder + g.name + "/" + mk.name + "/"
}

// names are those of the files of the group, each with the path of the file.
func (g versionGroup) names() map[string]string {
	out := map[string]string{}
	for _, u := range g.updates {
		for _, name := range []string{u.target, u.seed} {
			out[path.Base(name)] = name
		}
	}
	return out
}

// versionMount is a mount that sees soon what is new on the server. Nothing else
// is asked of it: versions share blocks without that.
var versionMount = zsyncfsWith("--refresh", "1s")

// versionRows are the rows of what versions share in a mount.
var versionRows = makeVersionRows()

func makeVersionRows() []row {
	var out []row
	for _, kind := range []struct {
		name, title string
		read        readNext
	}{
		{"versions.", "the next version in a mount, of ", afterVersion},
		{"versions.seed.", "a file in a mount with the version before it as --seed, of ", withSeed},
	} {
		for _, g := range versionGroups {
			for _, mk := range makers {
				out = append(out, versionRow(kind.name+g.name+"."+mk.name, kind.title+g.title, g, mk, kind.read))
			}
		}
	}
	return append(out, scanLatencyRow, openLargeRow, tenRow)
}

func versionRow(name, title string, g versionGroup, mk maker, read readNext) row {
	r := row{
		name: name, title: title + "; " + mk.title, tools: []*tool{versionMount, debianZsync},
		needs: []*tool{mk.tool}, files: []string{g.from, g.folder(mk)}, once: true, measure: versions(g, mk, read),
	}
	for _, u := range g.updates {
		r.metrics = append(r.metrics,
			metric{key: u.key(), title: u.title, unit: "bytes sent", lower: true, goal: atMostOfPeer(1.05)},
			metric{key: u.key() + "/requests", title: "  requests", lower: true})
	}
	return r
}

// readNext reads the next version of a pair whose files are in a stock folder,
// through a mount, and returns what the web server sent of it: all of the target
// and of its control file, headers included. other is everything else that it
// sent meanwhile, listings left out.
type readNext func(b *bench, stock string, u update) (sent, other traffic, err error)

// versions counts what the web server sent of each next version, to the mount
// and to zsync, which has the version before it as a seed. Of that, the bytes of
// the targets are in the report too.
func versions(g versionGroup, mk maker, read readNext) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		s, stock := sample{}, g.folder(mk)
		for _, u := range g.updates {
			key := u.key()
			u.target, u.seed = stock+path.Base(u.target), stock+path.Base(u.seed)
			var sent, other traffic
			var err error
			if t == debianZsync {
				_, sent, err = b.downloadBy(t, u.target+".zsync", u.target, u.seed)
			} else {
				sent, other, err = read(b, stock, u)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", u.title, err)
			}
			s[key], s[key+"/requests"] = float64(sent.sent), float64(sent.requests)
			s[key+"/data"], s[key+"/other"] = float64(sent.data), float64(other.sent)
		}
		return s, nil
	}
}

// afterVersion reads the version before through a mount with an empty store, and
// then lets the next one appear beside it.
func afterVersion(b *bench, stock string, u update) (sent, other traffic, err error) {
	old, next := path.Base(u.seed), path.Base(u.target)
	return b.countNext(next, func(s *site, begin func() error) error {
		if err := s.publish(stock, old); err != nil {
			return err
		}
		m, err := b.newMount(versionMount, b.base(direct)+s.folder, old)
		if err != nil {
			return err
		}
		if err := b.readWhole(m.file, b.original(u.seed)); err != nil {
			return fmt.Errorf("%s: %w", old, err)
		}
		if err := begin(); err != nil {
			return err
		}
		if err := s.publish(stock, next); err != nil {
			return err
		}
		file := path.Join(m.dir, next)
		if err := b.waitAppears(file); err != nil {
			return err
		}
		return b.readWhole(file, b.original(u.target))
	})
}

// withSeed mounts a folder that has only the next version, with an empty store
// and the version before as a local file.
func withSeed(b *bench, stock string, u update) (sent, other traffic, err error) {
	next := path.Base(u.target)
	return b.countNext(next, func(s *site, begin func() error) error {
		if err := s.publish(stock, next); err != nil {
			return err
		}
		if err := begin(); err != nil {
			return err
		}
		m, err := b.newMount(zsyncfsWith("--seed", b.original(u.seed)), b.base(direct)+s.folder, next)
		if err != nil {
			return err
		}
		return b.readWhole(m.file, b.original(u.target))
	})
}

// countNext lets read use a new site, releases what that started, and returns what
// the web server sent since begin was called: of the file next, and of others.
func (b *bench) countNext(next string, read func(s *site, begin func() error) error) (sent, other traffic, err error) {
	height := b.res.mark()
	defer b.res.releaseTo(height)
	s, err := b.newSite()
	if err != nil {
		return sent, other, err
	}
	inner, from := b.res.mark(), int64(0)
	err = read(s, func() (err error) {
		from, err = b.server.mark()
		return err
	})
	b.res.releaseTo(inner) // what is fetched in the background has ended
	if err != nil {
		return sent, other, err
	}
	entries, err := b.server.since(from)
	of, rest := split(entries, s.urls(next)...)
	return sum(of), sum(rest), err
}

// split parts the requests for some paths from the others, of which listings are
// left out.
func split(entries []entry, paths ...string) (of, rest []entry) {
	for _, e := range entries {
		file, _, _ := strings.Cut(e.path, "?")
		switch {
		case slices.Contains(paths, file):
			of = append(of, e)
		case !strings.HasSuffix(file, "/"):
			rest = append(rest, e)
		}
	}
	return of, rest
}

// versionFiles are the files of these rows, each after those that it is made from.
func (b *bench) versionFiles() []file {
	out := []file{{debianFolder, b.makeDebian}}
	for _, g := range versionGroups {
		for _, mk := range makers {
			out = append(out, file{g.folder(mk), func() error {
				return b.stock(g.folder(mk), g.names(), b.controlBeside(mk))
			}})
		}
	}
	return append(out, b.latencyFiles(), b.openFiles(), b.tenFiles())
}
