package fileserver

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
)

// listed is one entry of a listing.
type listed struct {
	name    string
	isDir   bool
	length  int64 // in bytes; -1 when not known
	modTime time.Time
}

// serveListing answers with what the directory name holds.
func (s *Server) serveListing(w http.ResponseWriter, r *http.Request, name string) {
	entries, err := s.list(name)
	if err != nil {
		s.failWith(w, err)
		return
	}
	var body bytes.Buffer
	h := w.Header()
	h.Set("Vary", "Accept")
	if prefersJSON(r.Header.Values("Accept")) {
		h.Set("Content-Type", "application/json")
		err = writeJSON(&body, entries)
	} else {
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		err = writeHTML(&body, name, entries)
	}
	if err != nil {
		s.failWith(w, err)
		return
	}
	// A listing has no time of its own: an old entry that is gone would not
	// show in the newest of its entries' times. So only an ETag.
	sum := sha256.Sum256(body.Bytes())
	h.Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body.Bytes()))
}

// list is what the directory name holds, sorted by name, with the control
// files that would be made.
func (s *Server) list(name string) ([]listed, error) {
	dir, err := s.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	found, err := dir.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	var entries []listed
	have := make(map[string]bool, len(found))
	for _, e := range found {
		info := s.entryInfo(name, e)
		if info == nil {
			continue
		}
		have[e.Name()] = true
		entry := listed{name: e.Name(), isDir: info.IsDir(), length: info.Size(), modTime: info.ModTime()}
		if entry.isDir {
			entry.length = -1
		}
		entries = append(entries, entry)
	}
	for _, e := range entries {
		control := e.name + controlSuffix
		if !e.isDir && !have[control] && targetName(control) != "" {
			entries = append(entries, listed{name: control, length: -1, modTime: e.modTime})
		}
	}
	slices.SortFunc(entries, func(a, b listed) int { return strings.Compare(a.name, b.name) })
	return entries, nil
}

// entryInfo describes an entry of the directory dir, a link by what it leads
// to; nil when it is not to be listed.
func (s *Server) entryInfo(dir string, e fs.DirEntry) os.FileInfo {
	if hidden(e.Name()) {
		return nil
	}
	var info os.FileInfo
	var err error
	if e.Type()&fs.ModeSymlink != 0 {
		info, err = s.root.Stat(path.Join(dir, e.Name()))
	} else {
		info, err = e.Info()
	}
	// An error means that it went meanwhile, or leads out of the root.
	if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
		return nil
	}
	return info
}

// prefersJSON: the client names JSON and does not name HTML before it.
func prefersJSON(accept []string) bool {
	for _, value := range accept {
		for media := range strings.SplitSeq(value, ",") {
			media, _, _ = strings.Cut(media, ";")
			switch strings.ToLower(strings.TrimSpace(media)) {
			case "application/json":
				return true
			case "text/html", "application/xhtml+xml":
				return false
			}
		}
	}
	return false
}

// jsonEntry is one entry in the form of nginx's autoindex_format json.
type jsonEntry struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	MTime string `json:"mtime"`
	Size  *int64 `json:"size,omitempty"`
}

// writeJSON leaves out names that are not UTF-8, which JSON cannot carry.
func writeJSON(w *bytes.Buffer, entries []listed) error {
	out := make([]jsonEntry, 0, len(entries))
	for _, e := range entries {
		if !utf8.ValidString(e.name) {
			continue
		}
		j := jsonEntry{Name: e.name, Type: "file", MTime: e.modTime.UTC().Format(http.TimeFormat)}
		if e.isDir {
			j.Type = "directory"
		}
		if e.length >= 0 {
			j.Size = &e.length
		}
		out = append(out, j)
	}
	return json.NewEncoder(w).Encode(out)
}

// page is parsed when a listing is asked for: other commands should not wait for it.
var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("listing").Parse(pageText))
})

const pageText = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Index of {{.Path}}</title>
<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
h1 { font-size: 1.3rem; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
th { text-align: left }
th, td { padding: .15rem .5rem; border-bottom: 1px solid #8884 }
td { overflow-wrap: anywhere }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
</style>
</head>
<body>
<h1>Index of {{.Path}}</h1>
<table>
<thead><tr><th>Name</th><th class="n">Bytes</th><th class="n">Modified (UTC)</th></tr></thead>
<tbody>
{{if .Up}}<tr><td><a href="../">../</a></td><td></td><td></td></tr>
{{end}}{{range .Rows}}<tr><td><a href="{{.URL}}">{{.Name}}</a></td><td class="n">{{.Size}}</td><td class="n">{{.Modified}}</td></tr>
{{end}}</tbody>
</table>
</body>
</html>
`

// row is one entry as the page shows it.
type row struct {
	// URL is escaped by making.RelativeURL and safe in an attribute as it is.
	URL                  template.URL
	Name, Size, Modified string
}

func writeHTML(w *bytes.Buffer, name string, entries []listed) error {
	data := struct {
		Path string
		Up   bool
		Rows []row
	}{Path: "/", Up: name != "."}
	if data.Up {
		data.Path = "/" + name + "/"
	}
	for _, e := range entries {
		r := row{
			URL:      template.URL(making.RelativeURL(e.name)),
			Name:     strings.ToValidUTF8(e.name, "\uFFFD"),
			Size:     "-",
			Modified: e.modTime.UTC().Format("2006-01-02 15:04"),
		}
		if e.length >= 0 {
			r.Size = fmt.Sprint(e.length)
		}
		if e.isDir {
			r.URL, r.Name = r.URL+"/", r.Name+"/"
		}
		data.Rows = append(data.Rows, r)
	}
	return page().Execute(w, data)
}
