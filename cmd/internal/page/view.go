package page

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
)

// Cells of a block map: in the overview, and of one artifact by itself.
const (
	smallColumns, smallRows = 96, 4
	largeColumns, largeRows = 128, 32
)

// The overview shows no more versions, and no more open files of a mount, than these: it is
// made and sent every second.
const mostVersions, mostFiles = 200, 50

// view is what the overview shows.
type view struct {
	*daemon.Status
	Mounts       []mountView
	Versions     []versionView // the largest
	MoreVersions int           // how many there are beside
	VersionsErr  string
	Acts         []oneAct
	Trusted      bool
	TokenFile    string
	StoreUsed    int // percent of the limit
}

type mountView struct {
	daemon.MountStatus
	ID       string     // of its element
	Files    []fileView // those that are used first
	More     int        // open files that are not shown
	Curves   curves
	HitShare string
}

type fileView struct {
	daemon.ArtifactStatus
	ID     string
	Name   string
	Page   string // URL of the page that shows it larger
	Map    blockMap
	HasMap bool
	Here   string // how much of it is here
}

// versionView is one version in the store.
type versionView struct {
	daemon.CacheEntry
	Name  string
	Here  string
	Width int // of its bar: its part of the largest, in percent
}

func (s *server) view(r *http.Request) *view {
	st := s.source.Status()
	v := &view{Status: st, Acts: s.acts.all(), Trusted: s.trusted(r), TokenFile: daemon.TokenPath(st.Store.Dir)}
	if st.Store.Limit > 0 {
		v.StoreUsed = int(min(100*st.Store.DiskBytes/st.Store.Limit, 100))
	}
	for i, m := range st.Mounts {
		v.Mounts = append(v.Mounts, s.mountView(i, m))
	}
	v.Versions, v.MoreVersions, v.VersionsErr = s.versions(r)
	return v
}

func (s *server) mountView(i int, m daemon.MountStatus) mountView {
	v := mountView{MountStatus: m, ID: "mount-" + strconv.Itoa(i), Curves: newCurves(s.source.History(m.Dir))}
	if all := m.Reads.LocalBytes + m.Reads.WaitedBytes; all > 0 {
		v.HitShare = percent(m.Reads.LocalBytes, all)
	}
	open := m.Open
	if n := len(open); n > mostFiles {
		slices.SortStableFunc(open, func(x, y daemon.ArtifactStatus) int { return y.Users - x.Users })
		open, v.More = open[:mostFiles], n-mostFiles
	}
	for k, a := range open {
		v.Files = append(v.Files, s.fileView(v.ID+"-"+strconv.Itoa(k), m.Dir, a, smallColumns, smallRows))
	}
	return v
}

func (s *server) fileView(id, dir string, a daemon.ArtifactStatus, columns, rows int) fileView {
	f := fileView{
		ArtifactStatus: a, ID: id, Name: a.Path, Here: percent(a.BlocksLocal, a.Blocks),
		Page: "/artifact?" + url.Values{"mount": {dir}, "url": {a.URL}}.Encode(),
	}
	if f.Name == "" {
		f.Name = versionName(a.URL)
	}
	if m, ok := s.source.Map(dir, a.URL, columns*rows); ok {
		f.Map, f.HasMap = newBlockMap(m, rows), true
	}
	return f
}

// versions are the largest ones of the store, that first, and how many more it has.
func (s *server) versions(r *http.Request) (out []versionView, more int, fault string) {
	a, err := s.source.DoCache(r.Context(), daemon.CacheRequest{Op: "ls"})
	if err != nil {
		return nil, 0, err.Error()
	}
	slices.SortStableFunc(a.Entries, func(x, y daemon.CacheEntry) int { return int(min(max(y.Disk-x.Disk, -1), 1)) })
	var largest int64 = 1
	if len(a.Entries) > 0 {
		largest = max(a.Entries[0].Disk, 1)
	}
	more = max(len(a.Entries)-mostVersions, 0)
	for _, e := range a.Entries[:len(a.Entries)-more] {
		name := strings.TrimSuffix(e.URL, ".zsync")
		if name == "" {
			name = "(unknown)"
		}
		if e.Local == 0 && e.Length > 0 {
			e.State = "empty" // whatever it was before
		}
		out = append(out, versionView{CacheEntry: e, Name: text(name), Here: percent(e.Local, e.Length), Width: int(100 * e.Disk / largest)})
	}
	return out, more, ""
}

// artifactView is what the page of one artifact shows.
type artifactView struct {
	Mount, URL string
	File       *fileView // nil: it is not open
}

func (s *server) artifactView(dir, control string) (*artifactView, bool) {
	v := &artifactView{Mount: dir, URL: control}
	for _, m := range s.source.Status().Mounts {
		for _, a := range m.Open {
			if m.Dir == dir && a.URL == control {
				f := s.fileView("file", dir, a, largeColumns, largeRows)
				v.File = &f
				return v, true
			}
		}
	}
	return v, false
}
