package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
	"github.com/zsyncfs/zsyncfs/fs/target"
)

const (
	address   = "127.0.0.1:8090"
	testToken = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	foul      = "<script>alert(1)</script>\x1b[2J\u202e"
)

// fakeDaemon is a daemon with one mount.
type fakeDaemon struct {
	many  bool // versions and open files
	mu    sync.Mutex
	acted []string      // guarded by mu
	hold  chan struct{} // actions wait for it; nil: they do not
}

func (f *fakeDaemon) Status() *daemon.Status {
	s := f.one()
	for i := range 3 * mostFiles {
		if f.many {
			s.Mounts[0].Open = append(s.Mounts[0].Open, daemon.ArtifactStatus{URL: fmt.Sprintf("http://h/%d.zsync", i), Users: i / (3*mostFiles - 1)})
		}
	}
	return s
}

// one is a status with one file open.
func (f *fakeDaemon) one() *daemon.Status {
	return &daemon.Status{PID: 7, Version: "1.2" + foul, Since: time.Now(),
		Store: daemon.StoreStatus{Dir: "/c" + foul, Limit: 1000, DiskBytes: 250, Trouble: &daemon.TroubleStatus{Error: "no room" + foul, Hint: "make room"}},
		Mounts: []daemon.MountStatus{{Dir: "/mnt/" + foul, Source: "http://h/" + foul, Archive: "daily",
			Reads: daemon.ReadStatus{Local: 3, LocalBytes: 75, Waited: 1, WaitedBytes: 25},
			Open: []daemon.ArtifactStatus{{URL: "http://h/a.img.zsync", Path: "a.img" + foul, Length: 400, Blocks: 4, BlocksLocal: 3, Users: 1,
				State: "provisional", Rate: 2048, Readers: []daemon.ReaderStatus{{PID: 12, Program: "cat" + foul}}}},
			Faults: []daemon.FaultStatus{{Path: "x" + foul, Error: "boom" + foul}},
			Hosts:  []daemon.HostStatus{},
		}}}
}

func (f *fakeDaemon) History(string) []daemon.Sample {
	at := time.Now()
	return []daemon.Sample{{Time: at.Add(-2 * time.Second)}, {Time: at.Add(-time.Second), Received: 1000, LocalBytes: 500}, {Time: at, Received: 5000, LocalBytes: 500, WaitedBytes: 500}}
}

func (f *fakeDaemon) Map(dir, url string, cells int) (target.Map, bool) {
	if url != "http://h/a.img.zsync" {
		return target.Map{}, false
	}
	return target.Map{Blocks: 4, From: []string{"http://h/old\x1b<b>.zsync"}, Cells: []target.Cell{
		{Blocks: 1, Own: 1}, {Blocks: 1, Own: 1}, {Blocks: 1, Shared: []int64{1}}, {Blocks: 1, Coming: 1},
	}}, true
}

func (f *fakeDaemon) DoCache(context.Context, daemon.CacheRequest) (*daemon.CacheAnswer, error) {
	if f.many {
		return &daemon.CacheAnswer{Entries: make([]daemon.CacheEntry, mostVersions+7)}, nil
	}
	return &daemon.CacheAnswer{Entries: []daemon.CacheEntry{
		{ID: "0123456789abcdef", URL: "http://h/tiny" + foul + ".zsync", Length: 10, Local: 5, Disk: 10, State: "provisional", Used: time.Now()},
		{ID: "fedcba9876543210", URL: "http://h/greatest.zsync", Length: 10, Local: 10, Disk: 100, State: "verified", Used: time.Now(), Pinned: true},
	}}, nil
}

func (f *fakeDaemon) Act(ctx context.Context, action, which string) (string, error) {
	if f.hold != nil {
		<-f.hold
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acted = append(f.acted, action+" "+which)
	if which == "bad" {
		return "", errors.New("it went wrong" + foul)
	}
	return "done", nil
}

func newHandler(t *testing.T, f *fakeDaemon) http.Handler {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return Handler(ctx, f, address, testToken, http.NotFoundHandler())
}

// ask is a request as a browser on the page itself makes it, but for what change does.
func ask(h http.Handler, method, path string, form url.Values, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Host = address
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://"+address)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestOverview(t *testing.T) {
	h := newHandler(t, &fakeDaemon{})
	w := ask(h, "GET", "/", nil, nil)
	body := w.Body.String()
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, body)
	}
	for _, want := range []string{
		"/mnt/", "a.img", "75.0 %", "2.0 KiB/s", "cat", "reused from old", "boom", "make room", "greatest",
		`aria-label="Block map: 50.0 % here, 25.0 % reused from old`, `<rect class="own" x="0" y="0" width="1" height="1"/>`,
		`<rect class="shared0" x="0" y="2" width="1" height="1"/>`, `<rect class="coming" x="0" y="3" width="1" height="1"/>`,
		"/c", "http-token", "25 %",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if strings.Index(body, "greatest") > strings.Index(body, "tiny") {
		t.Error("the largest version is not the first")
	}
	for _, bad := range []string{"<script>alert", "<b>.zsync", "\x1b", "\u202e", testToken} {
		if strings.Contains(body, bad) {
			t.Errorf("%q is on the page", bad)
		}
	}
	if strings.Contains(body, `value="evict"`) || strings.Contains(body, `value="pin"`) {
		t.Error("actions are offered to who has no token")
	}
	for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Content-Type": "text/html"} {
		if !strings.Contains(w.Header().Get(name), want) {
			t.Errorf("%s: %q", name, w.Header().Get(name))
		}
	}
	for _, elsewhere := range []string{"http://", "https://", "//"} { // only as text
		for _, attribute := range []string{`src="`, `href="`} {
			if strings.Contains(body, attribute+elsewhere) {
				t.Errorf("the page asks for something at %s", elsewhere)
			}
		}
	}
}

func TestArtifact(t *testing.T) {
	h := newHandler(t, &fakeDaemon{})
	query := url.Values{"mount": {"/mnt/" + foul}, "url": {"http://h/a.img.zsync"}}
	w := ask(h, "GET", "/artifact?"+query.Encode(), nil, nil)
	if w.Code != 200 || !strings.Contains(w.Body.String(), "3 of 4 blocks are here") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
	query.Set("url", foul)
	w = ask(h, "GET", "/artifact?"+query.Encode(), nil, nil)
	if w.Code != 404 || !strings.Contains(w.Body.String(), "No program has") || strings.Contains(w.Body.String(), "<script>alert") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}

// TestHost: a name that leads here does not show the page: another site could have made it.
func TestHost(t *testing.T) {
	for _, tt := range []struct {
		listen, host string
		want         bool
	}{
		{address, address, true},
		{address, "localhost:8090", true},
		{address, "LOCALHOST:8090", true},
		{address, "127.0.0.1:8091", false},
		{address, "127.0.0.1", false},
		{address, "127.0.0.2:8090", false},
		{address, "evil.example:8090", false},
		{address, "localhost.evil.example:8090", false},
		{address, "", false},
		{"[::1]:8090", "[::1]:8090", true},
		{"[::1]:8090", "localhost:8090", true},
		{"0.0.0.0:8090", "192.168.1.5:8090", true},
		{"0.0.0.0:8090", "evil.example:8090", false},
		{"127.0.0.1:80", "127.0.0.1", true},
		{"127.0.0.1:80", "localhost", true},
	} {
		if got := allowedHost(tt.host, tt.listen); got != tt.want {
			t.Errorf("%s at %s: %v", tt.host, tt.listen, got)
		}
	}
	h := newHandler(t, &fakeDaemon{})
	for _, path := range []string{"/", "/metrics", "/page.js", "/artifact"} {
		w := ask(h, "GET", path, nil, func(r *http.Request) { r.Host = "evil.example:8090" })
		if w.Code != http.StatusMisdirectedRequest {
			t.Errorf("%s is shown to another name: %d", path, w.Code)
		}
	}
}

// bearer is a request with a token.
func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func TestActions(t *testing.T) {
	f := &fakeDaemon{}
	h := newHandler(t, f)
	verify := url.Values{"action": {"verify"}, "which": {"0123456789abcdef"}, "name": {"small" + foul}}
	with := bearer(testToken)
	for name, tt := range map[string]struct {
		form   url.Values
		change func(*http.Request)
		want   int
	}{
		"no token":      {verify, nil, http.StatusForbidden},
		"a wrong token": {verify, bearer(testToken + "x"), http.StatusForbidden},
		"a part of it":  {verify, bearer(testToken[:5]), http.StatusForbidden},
		"a cookie":      {verify, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "token", Value: testToken}) }, http.StatusForbidden},
		"another site": {verify, func(r *http.Request) {
			with(r)
			r.Header.Set("Origin", "http://evil.example")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		}, http.StatusForbidden},
		"another port": {verify, func(r *http.Request) {
			with(r)
			r.Header.Set("Origin", "http://127.0.0.1:1")
			r.Header.Del("Sec-Fetch-Site")
		}, http.StatusForbidden},
		"another name":   {verify, func(r *http.Request) { with(r); r.Host = "evil.example:8090" }, http.StatusMisdirectedRequest},
		"no such action": {url.Values{"action": {"rm"}, "which": {"x"}}, with, http.StatusBadRequest},
		"nothing named":  {url.Values{"action": {"evict"}}, with, http.StatusBadRequest},
		"a long body":    {url.Values{"action": {"evict"}, "which": {strings.Repeat("x", 2*requestLimit)}}, with, http.StatusForbidden},
		"GET":            {verify, func(r *http.Request) { with(r); r.Method = "GET" }, http.StatusMethodNotAllowed},
	} {
		w := ask(h, "POST", "/act", tt.form, tt.change)
		if w.Code != tt.want && !(name == "a long body" && w.Code == http.StatusBadRequest) {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, tt.want)
		}
	}
	f.mu.Lock()
	if len(f.acted) != 0 {
		t.Errorf("done: %v", f.acted)
	}
	f.mu.Unlock()

	if w := ask(h, "POST", "/act", verify, with); w.Code != http.StatusSeeOther {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	if w := ask(h, "POST", "/act", url.Values{"action": {"pin"}, "which": {"bad"}, "name": {"b"}}, func(r *http.Request) {
		r.Header.Del("Origin")
		r.Header.Del("Sec-Fetch-Site")
		r.Header.Set("Authorization", "Bearer "+testToken)
	}); w.Code != http.StatusSeeOther {
		t.Errorf("a program with the token: %d: %s", w.Code, w.Body)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		body := ask(h, "GET", "/", nil, with).Body.String()
		if strings.Contains(body, ": done") && strings.Contains(body, "it went wrong") {
			if !strings.Contains(body, `value="evict"`) || !strings.Contains(body, `value="pin"`) || strings.Contains(body, "<script>alert") {
				t.Errorf("%s", body)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the results are not shown: %s", body)
		}
	}
}

// TestManyOfAll: of many versions and open files the largest and those in use are shown,
// and how many more there are.
func TestManyOfAll(t *testing.T) {
	body := ask(newHandler(t, &fakeDaemon{many: true}), "GET", "/", nil, nil).Body.String()
	for want, n := range map[string]int{
		"<article": mostFiles, `<th scope="row">`: mostVersions, "101 more are open": 1, "7 more, all smaller": 1,
	} {
		if got := strings.Count(body, want); got != n {
			t.Errorf("%q is there %d times, want %d", want, got, n)
		}
	}
	if !strings.Contains(body, "%2F149.zsync") {
		t.Error("the file that is in use is not shown")
	}
}

// TestManyActions: some are under way at once, and no more.
func TestManyActions(t *testing.T) {
	f := &fakeDaemon{hold: make(chan struct{})}
	h := newHandler(t, f)
	bearer := bearer(testToken)
	refused := 0
	for range actsAtOnce + 3 {
		if ask(h, "POST", "/act", url.Values{"action": {"verify"}, "which": {"x"}}, bearer).Code == http.StatusTooManyRequests {
			refused++
		}
	}
	close(f.hold)
	if refused != 3 {
		t.Errorf("%d were refused, want 3", refused)
	}
}

// TestManyShortActions: those that have ended do not push out of sight what is under way.
func TestManyShortActions(t *testing.T) {
	a := acts{ctx: t.Context()}
	hold := make(chan struct{})
	defer close(hold)
	for range actsAtOnce - 1 {
		if err := a.begin("pin", "long", func(context.Context) (string, error) { <-hold; return "", nil }); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 * actsKept {
		done := make(chan struct{})
		if err := a.begin("verify", "short", func(context.Context) (string, error) { close(done); return "", nil }); err != nil {
			t.Fatal(err)
		}
		<-done
		for !slices.ContainsFunc(a.all(), func(o oneAct) bool { return o.Name == "short" && !o.Ended.IsZero() }) || a.all()[0].Ended.IsZero() {
			time.Sleep(time.Millisecond)
		}
	}
	long, short := 0, 0
	for _, o := range a.all() {
		if o.Name == "long" {
			long++
		} else {
			short++
		}
	}
	if long != actsAtOnce-1 || short < actsKept || short > actsKept+1 {
		t.Errorf("%d under way and %d that ended are shown", long, short)
	}
}

func TestNewBlockMap(t *testing.T) {
	b := newBlockMap(target.Map{Blocks: 60, From: []string{"", "http://h/v1.img.zsync?x"}, Cells: []target.Cell{
		{Blocks: 10, Own: 10}, {Blocks: 10, Own: 4}, {Blocks: 10, Own: 1, Shared: []int64{0, 9}},
		{Blocks: 10, Shared: []int64{3}}, {Blocks: 10, Own: 2, Coming: 5}, {Blocks: 10},
	}}, 2)
	var got []string
	for _, r := range b.Rects {
		got = append(got, r.Class)
	}
	if want := "own|own part|shared1|shared0 part|coming|missing"; strings.Join(got, "|") != want || b.Rows != 2 {
		t.Errorf("%v, %d rows, want %s", got, b.Rows, want)
	}
	odd := newBlockMap(target.Map{Blocks: 7, Cells: make([]target.Cell, 7)}, 3)
	if last := odd.Rects[len(odd.Rects)-1]; last != (rect{X: 1, Y: 2, Width: 2, Class: "void"}) || odd.Columns != 3 {
		t.Errorf("7 cells in 3 rows: %+v", odd)
	}
	if empty := newBlockMap(target.Map{}, 4); empty.Columns != 1 || empty.Rows != 1 {
		t.Errorf("no cells: %+v", empty)
	}
	var names []string
	for _, l := range b.Legend {
		names = append(names, l.Name+" "+l.Share)
	}
	if want := "here 28.3 %|reused from an older version 5.0 %|reused from v1.img 15.0 %|fetched now 8.3 %|missing 43.3 %"; strings.Join(names, "|") != want {
		t.Errorf("%s, want %s", strings.Join(names, "|"), want)
	}
}

func TestNewCurves(t *testing.T) {
	if c := newCurves(nil); c.Received != "" || c.Label == "" {
		t.Errorf("%+v", c)
	}
	at := time.Unix(1_000_000, 0)
	var samples []daemon.Sample
	for i := range int64(120) {
		samples = append(samples, daemon.Sample{Time: at.Add(time.Duration(i) * time.Second), Received: 1 << 20 * i, LocalBytes: 3 << 20 * i, WaitedBytes: 1 << 20 * i})
	}
	c := newCurves(samples)
	if c.Most != "4.0 MiB/s" || c.ReceivedNow != "1.0 MiB/s" || c.Hit != "75 %" || !strings.HasSuffix(c.Received, " 300.0,45.0") || !strings.HasSuffix(c.Given, " 300.0,0.0") {
		t.Errorf("%+v", c)
	}
}
