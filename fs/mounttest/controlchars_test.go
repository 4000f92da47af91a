package mounttest

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"net"
	"net/http"
	neturl "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/readcheck"
	"golang.org/x/sys/unix"
)

// foul is what a terminal acts on: it sets its title, clears it, changes its colours
// (the second time by a single character of C1), and turns the direction of writing.
const foul = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202e\x7f"

// foulHigh is that part of foul which may stand in a header's value.
const foulHigh = "\u009b31m\u202e"

func init() {
	for _, name := range slices.Collect(maps.Keys(foulAnswers)) {
		foulAnswers[name+"-high"] = strings.ReplaceAll(foulAnswers[name], foul, foulHigh)
	}
}

// foulAnswers are answers to the request for an artifact of that name, with foul
// wherever a server may put text.
var foulAnswers = map[string]string{
	"reason":     "503 " + foul + "\r\n",
	"gone":       "404 " + foul + "\r\nContent-Type: text/" + foul + "\r\n",
	"auth":       "401 No\r\nWWW-Authenticate: Basic realm=\"" + foul + "\"\r\n",
	"type":       "206 Partial\r\nContent-Range: bytes 0-9/262144\r\nContent-Type: multipart/byteranges; boundary=" + foul + "\r\n",
	"encoding":   "206 Partial\r\nContent-Range: bytes 0-262143/262144\r\nContent-Encoding: " + foul + "\r\n",
	"range":      "206 Partial\r\nContent-Range: bytes 0-" + foul + "/1\r\n",
	"length":     "206 Partial\r\nContent-Length: 1" + foul + "\r\n",
	"location":   "302 Found\r\nLocation: /" + foul + "\r\n",
	"scheme":     "302 Found\r\nLocation: " + foul + "://" + foul + "/\r\n",
	"host":       "302 Found\r\nLocation: http://" + foul + "/\r\n",
	"escaped":    "302 Found\r\nLocation: http://127.0.0.1:1/%1b%5b2J%c2%9b\r\n",
	"retry":      "503 Busy\r\nRetry-After: " + foul + "\r\n",
	"header":     "206 Partial\r\n" + foul + ": x\r\n",
	"validators": "206 Partial\r\nContent-Range: bytes 0-9/10\r\nETag: \"" + foul + "\"\r\nLast-Modified: " + foul + "\r\n",
	"status":     foul + "\r\n",
}

// foulFields are lines of control files.
var foulFields = map[string]string{
	"filename": "Filename: " + foul,
	"url":      "URL: " + foul,
	"safe":     "Safe: " + foul,
	"unknown":  "X-" + foul + ": " + foul,
	"nocolon":  foul,
	"mtime":    "MTime: " + foul,
	"zurl":     "Z-URL: " + foul,
	"recomp":   "Recompress: zip " + foul,
	"sha":      "SHA-1: " + foul,
	"block":    "Blocksize: " + foul,
	"hash":     "Hash-Lengths: " + foul,
	"long":     "Length: 5" + foul,
}

// foulNames are names in a listing, as they stand in its links.
var foulNames = []string{
	foul + ".img.zsync", "%1b%5b2J.img.zsync", "x%c2%9b31m.img.zsync", "%e2%80%ae.img.zsync", "a%0ab.img.zsync", "%1b%5b2J/",
	"a%7f.img.zsync", "%9b.img.zsync", "..%2f..%2fup.img.zsync", "%2e%2e/", "..%5cup.img.zsync", "/etc/up.img.zsync", "nul%00.img.zsync",
}

// serveFoul serves control, of the artifact good.img with this content, and what is
// foul. It speaks HTTP by itself, for no server would send these answers.
func serveFoul(t *testing.T, control *fixture.Control, content []byte) (url string) {
	good := folder(t)
	must(t, control.Write(filepath.Join(good, "c")))
	text, err := os.ReadFile(filepath.Join(good, "c"))
	must(t, err)
	page := "<a href=\"good.img.zsync\">good</a>\n"
	files := map[string]string{"/good.img.zsync": string(text), "/good.img": string(content)}
	for name := range foulAnswers {
		page += "<a href=\"" + name + ".img.zsync\">" + foul + "</a>\n"
		files["/"+name+".img.zsync"] = strings.Replace(string(text), "URL: good.img", "URL: "+name+".img", 1)
	}
	for name, line := range foulFields {
		page += "<a href=\"" + name + ".img.zsync\">x</a>\n"
		files["/"+name+".img.zsync"] = strings.Replace(string(text), "URL: good.img", line+"\nURL: good.img", 1)
	}
	for _, name := range foulNames {
		page += "<a href=\"" + name + "\">x</a>\n"
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/"), ".img")
				switch {
				case r.URL.Path == "/":
					fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nServer: %s\r\nConnection: close\r\n\r\n%s", foulHigh, page)
				case foulAnswers[name] != "":
					fmt.Fprintf(c, "HTTP/1.1 %sConnection: close\r\n\r\n%s", foulAnswers[name], foul)
				case files[r.URL.Path] != "":
					body := files[r.URL.Path]
					var first, last int
					if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &first, &last); n == 2 && first < len(body) {
						last = min(last, len(body)-1)
						fmt.Fprintf(c, "HTTP/1.1 206 Partial\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
							first, last, len(body), last-first+1, body[first:last+1])
						return
					}
					fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
				default:
					fmt.Fprintf(c, "HTTP/1.1 404 %s\r\nConnection: close\r\n\r\n%s", foul, foul)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String() + "/"
}

// isFoul is the first character of text that a terminal acts on, and where; lines may
// end, and have tabs.
func isFoul(text string) error {
	for i, r := range text {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return fmt.Errorf("%q after %q", r, text[max(0, i-200):i])
		}
	}
	return nil
}

// TestControlCharacters: whatever a server says, and wherever, no character that a
// terminal acts on comes out of the programs, and no name leaves its directory.
func TestControlCharacters(t *testing.T) {
	t.Parallel()
	needMount(t)
	needProgram(t, "timeout")
	dir := folder(t)
	content := fixture.Random(256<<10, 3)
	publishIn(t, dir, "good.img", content)
	control, err := fixture.ReadControl(filepath.Join(dir, "good.img.zsync"))
	must(t, err)
	url := serveFoul(t, control, content)
	m := mount(t, url, "-v", "--read-deadline=2s", "--refresh=1s")
	clean := func(what, text string) {
		t.Helper()
		if err := isFoul(text); err != nil {
			t.Errorf("%s prints %v", what, err)
		}
	}

	entries, err := os.ReadDir(m.Dir)
	must(t, err)
	into := folder(t)
	var all sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, e := range entries {
		// A name may turn the direction of writing: other file systems have it too.
		if strings.ContainsFunc(e.Name(), unicode.IsControl) || e.IsDir() || e.Name() == "up.img" {
			t.Errorf("the listing has %q", e.Name())
		}
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			path := m.Path(e.Name())
			if got, err := os.ReadFile(path); err == nil && !bytes.Equal(got, content) {
				t.Errorf("%s: wrong bytes", e.Name())
			}
			list := make([]byte, 64<<10)
			n, _ := unix.Listxattr(path, list)
			for name := range strings.SplitSeq(string(list[:max(n, 0)]), "\x00") {
				if value, err := xattr(path, name); name != "" && err == nil {
					clean(e.Name()+"'s "+name, value)
				}
			}
			// It tries again for long; what it says of the first tries is enough.
			cmd := m.Program("timeout", "-s", "INT", "4", binary(t), "get", "--cache-dir", filepath.Join(into, e.Name()+".store"),
				url+neturl.PathEscape(e.Name())+".zsync")
			cmd.Dir = into
			commandClean(t, clean, "get "+e.Name(), cmd)
		})
	}
	all.Wait()
	// Meanwhile it may have failed like the others: it was their host that did.
	eventually(t, "the good one is read", func() error { return readcheck.Whole(pairOf(m, dir, "good.img")) })
	if len(entries) < len(foulAnswers)+len(foulFields) {
		t.Errorf("the listing has %d names: %v", len(entries), entries)
	}
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"cache", "ls"}, {"cache", "ls", "--json"}, {"cache", "verify"}} {
		commandClean(t, clean, strings.Join(args, " "), m.Command(append(args, "--cache-dir", m.CacheDir)...))
	}
	must(t, filepath.WalkDir(into, func(path string, d os.DirEntry, err error) error {
		if name := d.Name(); strings.ContainsFunc(name, unicode.IsControl) {
			t.Errorf("get made %q", name)
		}
		return err
	}))
	m.Unmount()
	clean("the log", m.Log())
	if !strings.Contains(m.Log(), "x1b") || !strings.Contains(m.Log(), "u009b") {
		t.Errorf("nothing foul came to the log: this shows nothing\n%s", m.Log())
	}
	for _, dir := range []string{filepath.Dir(m.CacheDir), filepath.Dir(into)} {
		if up, _ := filepath.Glob(filepath.Join(dir, "*up*")); up != nil {
			t.Errorf("names left their directory: %v", up)
		}
	}
}

// commandClean runs a command, and has clean look at what it prints.
func commandClean(t *testing.T, clean func(what, text string), what string, cmd *exec.Cmd) {
	t.Helper()
	r := daemon.Command(t, cmd)
	clean(what, r.Output)
	clean(what, r.Errors)
}
