package main

import (
	"maps"
	"path"
	"slices"
)

// update is one download in a row of updates: of a target, with a seed or
// without.
type update struct {
	title  string
	target string // below the web server's root
	seed   string // "": nothing is there
}

// key is that of the metric of the bytes that are sent.
func (u update) key() string { return u.seed + " to " + u.target }

// newUpdate is that of a pair, which is in a folder below the web server's root.
func newUpdate(p pair, folder, ending string) update {
	return update{p.old + " to " + p.new, folder + p.new + ending, folder + p.old + ending}
}

// updates are those of all pairs in one form of the corpus.
func updates(form string) []update {
	var out []update
	for _, p := range pairs {
		out = append(out, newUpdate(p, corpusFolder+form+"/", forms[form]))
	}
	return out
}

func largeUpdates() []update {
	var out []update
	for _, form := range []string{native, tar} {
		u := newUpdate(largePair, largeFolder, largeForms[form])
		u.title += " (" + largeForms[form] + ")"
		out = append(out, u)
	}
	return out
}

// lastVersions are in some forms, each with what seed makes of it.
func lastVersions(seed func(target string) string) []update {
	var out []update
	for _, p := range pairs[1:] {
		for _, form := range []string{native, tar, rs} {
			u := newUpdate(p, corpusFolder+form+"/", forms[form])
			u.title, u.seed = p.new+", "+form, seed(u.target)
			out = append(out, u)
		}
	}
	return out
}

func noSeed(string) string              { return "" }
func targetItself(target string) string { return target }

// corpusFolder has a folder for each form.
const corpusFolder = "corpus/"

// largeFolder has the large pair in both forms.
const largeFolder = corpusFolder + "large/"

// deltaRows are the rows of the amount that is fetched.
var deltaRows = makeDeltaRows()

func makeDeltaRows() []row {
	var out []row
	for _, group := range []struct {
		name, title string
		updates     []update
	}{
		{"native", "updates of packages as published (.tgz)", updates(native)},
		{"tar", "updates of the packages as tar", updates(tar)},
		{"gz", "updates of the tars compressed by gzip -n", updates(gz)},
		{"rs", "updates of the tars compressed by gzip -n --rsyncable", updates(rs)},
		{"large", "updates of a large package", largeUpdates()},
		{"first", "first downloads, nothing is there", lastVersions(noSeed)},
		{"same", "downloads of what is there already", lastVersions(targetItself)},
	} {
		for _, mk := range makers {
			out = append(out, deltaRow("delta."+group.name+"."+mk.name, group.title, mk, group.updates))
		}
	}
	return out
}

func deltaRow(name, title string, mk maker, all []update) row {
	r := row{
		name: name, title: title + "; " + mk.title, tools: []*tool{zsync, debianZsync},
		needs: []*tool{mk.tool}, measure: delta(mk, all),
	}
	for _, u := range all {
		r.metrics = append(r.metrics,
			metric{key: u.key(), title: u.title, unit: "bytes sent", lower: true, goal: noWorse()},
			metric{key: u.key() + "/requests", title: "  requests", lower: true, goal: noWorse()})
		folder := path.Dir(u.target) + "/"
		if !slices.Contains(r.files, folder) {
			r.files = append(r.files, folder, mk.controlFolder(folder))
		}
	}
	return r
}

// delta downloads each target and counts what the web server sent: everything,
// headers and control files included. Of that, the bytes of the targets are in
// the report too.
func delta(mk maker, all []update) measure {
	return func(b *bench, t *tool, repetition int) (sample, error) {
		s := sample{}
		for _, u := range all {
			var seeds []string
			if u.seed != "" {
				seeds = append(seeds, u.seed)
			}
			_, sent, err := b.download(t, mk, u.target, seeds...)
			if err != nil {
				return nil, err
			}
			s[u.key()], s[u.key()+"/requests"] = float64(sent.sent), float64(sent.requests)
			s[u.key()+"/data"] = float64(sent.data)
		}
		return s, nil
	}
}

// deltaFiles are the files that the rows read: those of the corpus and their
// control files.
func (b *bench) deltaFiles() []file {
	var out []file
	for _, form := range slices.Sorted(maps.Keys(forms)) {
		ending := forms[form]
		var names, targets []string
		for i, p := range pairs {
			targets = append(targets, p.new+ending)
			names = append(names, form+"/"+p.new+ending)
			if i == 0 || pairs[i-1].new != p.old {
				names = append(names, form+"/"+p.old+ending)
			}
		}
		out = append(out, b.corpusFile(corpusFolder+form+"/", false, names, targets)...)
	}
	var names, targets []string
	for form, ending := range largeForms {
		names = append(names, form+"/"+largePair.old+ending, form+"/"+largePair.new+ending)
		targets = append(targets, largePair.new+ending)
	}
	return append(out, b.corpusFile(largeFolder, true, names, targets)...)
}

// corpusFile is a folder with some files of the corpus, and the folders of the
// control files of some of them.
func (b *bench) corpusFile(folder string, large bool, names, targets []string) []file {
	return append([]file{{folder, func() error { return b.corpusFiles(folder, large, names) }}},
		b.controls(folder, targets...)...)
}
