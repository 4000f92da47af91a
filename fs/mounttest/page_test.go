package mounttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/zsyncfs/zsyncfs/fs/mounttest/daemon"
	"github.com/zsyncfs/zsyncfs/fs/mounttest/fixture"
)

// paged is a mount with a status page.
type paged struct {
	*daemon.Mount
	url   string // of the page, with a slash at its end
	token string
}

// mountWithPage mounts source, and finds its page.
func mountWithPage(t *testing.T, source string, flags ...string) *paged {
	t.Helper()
	m := mount(t, source, append(flags, "--http=127.0.0.1:0")...)
	var s struct {
		Page string `json:"page"`
	}
	r := daemon.Command(t, m.Command("status", "--json", "--cache-dir", m.CacheDir))
	must(t, json.Unmarshal([]byte(r.Output), &s))
	if !strings.HasPrefix(s.Page, "http://127.0.0.1:") {
		t.Fatalf("the page is at %q", s.Page)
	}
	path := filepath.Join(m.CacheDir, "http-token")
	token, err := os.ReadFile(path)
	must(t, err)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the token: %v, %v", info.Mode(), err)
	}
	return &paged{m, s.Page, strings.TrimSpace(string(token))}
}

// TestPageTaken: a page whose address is taken keeps no mount back, and is told of.
func TestPageTaken(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	publishIn(t, dir, "t.img", fixture.Random(10_000, 1))
	s := serve(t, dir)
	m := daemon.New(t, daemon.Options{Binary: binary(t), Source: s.URL("/"), Flags: []string{"--http=" + strings.Trim(strings.TrimPrefix(s.URL("/"), "http://"), "/")}})
	r := m.Try()
	if r.Code != 0 || !strings.Contains(r.Errors, "the status page cannot be served at 127.0.0.1:") {
		t.Error(r)
	}
}

// browser is a Chromium without a window, and what went wrong in it.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	faults   []string        // guarded by mu
	requests map[string]bool // the beginnings of URLs that were asked for; guarded by mu
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1200, 900),
		chromedp.Flag("disable-background-networking", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, requests: map[string]bool{}}
	chromedp.ListenTarget(ctx, b.hear)
	b.do(network.Enable(), cdplog.Enable(), runtime.Enable())
	return b
}

func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		parts := strings.SplitAfterN(e.Request.URL, "/", 4)
		b.requests[strings.Join(parts[:min(3, len(parts))], "")] = true
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, e.ExceptionDetails.Error())
	case *cdplog.EventEntryAdded:
		b.faults = append(b.faults, string(e.Entry.Level)+": "+e.Entry.Text)
	}
}

func (b *browser) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// number is what an expression of the page's script is.
func (b *browser) number(expression string) (n float64) {
	b.t.Helper()
	b.do(chromedp.Evaluate(expression, &n))
	return n
}

func (b *browser) string(expression string) (s string) {
	b.t.Helper()
	b.do(chromedp.Evaluate(expression, &s))
	return s
}

// until waits until an expression of the page's script is true.
func (b *browser) until(what, expression string) {
	b.t.Helper()
	eventually(b.t, what, func() error {
		var is bool
		if err := chromedp.Run(b.ctx, chromedp.Evaluate(expression, &is)); err != nil || !is {
			var shown string
			_ = chromedp.Run(b.ctx, chromedp.Evaluate("document.body.innerText", &shown))
			return fmt.Errorf("%s is not so: %v, the page says %s", expression, err, shown)
		}
		return nil
	})
}

// look keeps a picture for people, in the folder that ZSYNCFS_SCREENSHOTS names.
func (b *browser) look(name string) {
	b.t.Helper()
	dir := os.Getenv("ZSYNCFS_SCREENSHOTS")
	if dir == "" {
		return
	}
	var picture []byte
	b.do(chromedp.FullScreenshot(&picture, 100))
	must(b.t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644))
}

// cells is how many cells of the block map of a file have a look.
func cells(file, class string) string {
	return `[...document.querySelectorAll(".file")].filter((f) => f.querySelector("h4").innerText === "` + file +
		`").flatMap((f) => [...f.querySelectorAll(".map rect.` + class + `")]).reduce((n, r) => n + Number(r.getAttribute("width")), 0)`
}

// TestPage: the page shows in a browser what happens while it is looked at, on a phone and
// in the dark too, does what it is asked to by who has the token, and asks nobody else for
// anything.
func TestPage(t *testing.T) {
	t.Parallel()
	needMount(t)
	b := newBrowser(t)
	dir := folder(t)
	first := fixture.Random(8_000_000, 1)
	second := bytes.Clone(first)
	copy(second[2_000_000:], fixture.Random(1_000_000, 2))
	publishIn(t, dir, "disk-1.img", first)
	publishIn(t, dir, "other.img", fixture.Random(500_000, 3))
	s := serve(t, dir)
	m := mountWithPage(t, s.URL("/"), "--refresh=1s", "--fill=off")
	f, err := os.Open(m.Path("disk-1.img"))
	must(t, err)
	defer f.Close()
	p := make([]byte, 64<<10)
	_, err = f.ReadAt(p, 4_000_000)
	must(t, err)
	if _, err := os.ReadFile(m.Path("other.img")); err != nil {
		t.Error(err)
	}

	b.do(chromedp.Navigate(m.url), chromedp.WaitVisible(".file .map"))
	if text := b.string("document.body.innerText"); !strings.Contains(text, m.Dir) || !strings.Contains(text, "disk-1.img") {
		t.Errorf("the page says %s", text)
	}
	own := b.number(cells("disk-1.img", "own"))
	if own < 1 || own > 20 {
		t.Errorf("%v cells are here of a file of which little was read", own)
	}
	b.do(chromedp.Evaluate(`window.same = true; document.querySelector(".file a").focus()`, nil))
	focused := b.string("document.activeElement.id")
	_, err = io.CopyN(io.Discard, f, 3_000_000)
	must(t, err)
	b.until("the map changes while the file is read", fmt.Sprintf("%s > %v", cells("disk-1.img", "own"), own+50))
	b.until("it is the same page", "window.same === true")
	if now := b.string("document.activeElement.id"); now != focused || now == "" {
		t.Errorf("the focus was at %q, and is at %q", focused, now)
	}

	publishIn(t, dir, "disk-2.img", second)
	eventually(t, "the second version", func() error { _, err := os.Stat(m.Path("disk-2.img")); return err })
	_, err = io.Copy(io.Discard, f) // all of the first
	must(t, err)
	g, err := os.Open(m.Path("disk-2.img"))
	must(t, err)
	defer g.Close()
	_, err = g.ReadAt(p, 0)
	must(t, err)
	b.until("what is reused is shown", cells("disk-2.img", "shared0")+` > 100 && document.body.innerText.includes("reused from disk-1.img")`)
	b.look("overview")

	b.do(chromedp.SendKeys("#token", "wrong\r"))
	b.until("a wrong token is told", `document.body.innerText.includes("That is not the token.")`)
	b.do(chromedp.SendKeys("#token", m.token+"\r"), chromedp.WaitVisible("#logout"))
	if cookies := b.string("document.cookie"); cookies != "" {
		t.Errorf("there is a cookie, which other ports would see: %s", cookies)
	}
	b.until("who has the token sees actions", `document.querySelectorAll("#versions button[value=evict]").length === 3`)
	row := `[...document.querySelectorAll("#versions tbody tr")].find((r) => r.innerText.includes("other.img"))`
	b.do(chromedp.Evaluate(row+`.querySelector("button[value=verify]").click()`, nil))
	b.until("it is verified", `document.querySelector("#actions").innerText.includes("verify") && document.querySelector("#actions").innerText.includes("all blocks are right")`)
	b.do(chromedp.Evaluate(row+`.querySelector("button[value=evict]").click()`, nil))
	b.until("it is gone", `document.querySelector("#actions").innerText.includes("gone") && !(`+row+`?.innerText.includes("100 %"))`)
	b.do(chromedp.Evaluate(`[...document.querySelectorAll(".file")].find((f) => f.innerText.includes("disk-2.img")).querySelector("button[value=pin]").click()`, nil))
	b.until("it is complete and pinned", `[...document.querySelectorAll("#versions tbody tr")].some((r) => r.innerText.includes("disk-2.img") && r.innerText.includes("pinned"))`)
	b.look("actions")

	b.do(chromedp.Click(".file a"), chromedp.WaitVisible("#artifact .map"))
	b.look("artifact")
	b.do(chromedp.Navigate(m.url), chromedp.WaitVisible(".file .map"))
	light := b.string("getComputedStyle(document.body).backgroundColor")
	b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}))
	if dark := b.string("getComputedStyle(document.body).backgroundColor"); dark == light {
		t.Errorf("in the dark it is as light as by day: %s", dark)
	}
	b.look("dark")
	b.do(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile), chromedp.Navigate(m.url), chromedp.WaitVisible(".file .map"))
	if wide := b.number("document.documentElement.scrollWidth"); wide > 360 {
		t.Errorf("on a phone it is %v wide, of 360", wide)
	}
	b.look("phone")
	b.do(emulation.SetScriptExecutionDisabled(true), chromedp.Navigate(m.url), chromedp.WaitVisible(".file .map"))

	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.faults) > 0 {
		t.Errorf("went wrong in the browser: %q", b.faults)
	}
	if len(b.requests) != 1 || !b.requests[m.url] {
		t.Errorf("the page asked for %v", b.requests)
	}
}

// TestMetrics: Prometheus is told what reads cost, and the page's rules hold for it.
func TestMetrics(t *testing.T) {
	t.Parallel()
	needMount(t)
	dir := folder(t)
	publishIn(t, dir, "t.img", fixture.Random(3_000_000, 1))
	s := serve(t, dir)
	m := mountWithPage(t, s.URL("/"))
	if _, err := os.ReadFile(m.Path("t.img")); err != nil {
		t.Error(err)
	}
	get := func(change func(*http.Request)) (int, string) {
		t.Helper()
		r, err := http.NewRequest("GET", m.url+"metrics", nil)
		must(t, err)
		if change != nil {
			change(r)
		}
		resp, err := http.DefaultClient.Do(r)
		must(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp.StatusCode, string(body)
	}
	var code int
	var text string
	eventually(t, "the file is verified", func() error {
		if code, text = get(nil); code != 200 || !strings.Contains(text, `result="verified"} 1`) {
			return fmt.Errorf("%d: %s", code, text)
		}
		return nil
	})
	label := `{mount="` + m.Dir + `"`
	for _, want := range []string{
		`zsyncfs_block_bytes_total` + label + `,source="remote"} 3e+06`,
		`zsyncfs_verifications_total` + label + `,result="verified"} 1`,
		`zsyncfs_read_errors_total` + label + `} 0`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in %s", want, text)
		}
	}
	var local, waited float64
	for line := range strings.Lines(text) {
		fmt.Sscanf(line, `zsyncfs_read_bytes_total{answered="local",mount="`+m.Dir+`"} %g`, &local)
		fmt.Sscanf(line, `zsyncfs_read_bytes_total{answered="waited",mount="`+m.Dir+`"} %g`, &waited)
	}
	if local+waited != 3_000_000 || waited == 0 {
		t.Errorf("%v bytes at once, %v after a wait, of a file of 3000000", local, waited)
	}
	if code, _ := get(func(r *http.Request) { r.Host = "evil.example" }); code != http.StatusMisdirectedRequest {
		t.Errorf("another name: %d", code)
	}
	m.Unmount()
	if _, err := http.Get(m.url); err == nil {
		t.Error("the page is there after the daemon's end")
	}
}
