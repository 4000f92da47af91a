package zsyncclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

func TestFetchControl(t *testing.T) {
	for _, prefix := range []int64{0, 1, 50, 100, 4096, 1 << 20} {
		for name, rule := range map[string]rangetest.Rule{
			"ranges":    {},
			"no ranges": {Fault: rangetest.IgnoreRange},
			"no length": {Fault: rangetest.NoLength},
		} {
			t.Run(fmt.Sprintf("%s %d", name, prefix), func(t *testing.T) {
				f := newFixture(t, fixtureOptions{})
				f.srv.Add(rule)
				ctl, err := f.c.FetchControl(context.Background(), f.url, Validators{}, prefix)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(ctl.Raw, f.control[:f.header.Size]) || ctl.Header.Length != f.header.Length {
					t.Fatal("wrong header")
				}
				if !bytes.HasPrefix(f.control[f.header.Size:], ctl.Records) {
					t.Fatal("wrong records")
				}
				most := max(prefix, f.header.Size) + 16<<10
				if prefix == 0 {
					most = defaultPrefix + 16<<10
				}
				if least := min(prefix, int64(len(f.control))) - ctl.Header.RecordSize(); int64(len(ctl.Raw)+len(ctl.Records)) < least ||
					int64(len(ctl.Raw)+len(ctl.Records)) > most {
					t.Errorf("%d bytes for a prefix of %d", len(ctl.Raw)+len(ctl.Records), prefix)
				}
				if rule.Fault == rangetest.None && ctl.Validators.Length != int64(len(f.control)) {
					t.Errorf("length %d", ctl.Validators.Length)
				}
				if ctl.Validators.ETag == "" || ctl.Validators.LastModified == "" {
					t.Errorf("validators %+v", ctl.Validators)
				}
				if rule.Fault == rangetest.None && prefix >= 4096 && f.srv.Count("") != 1 {
					t.Errorf("%d requests", f.srv.Count(""))
				}
				_, err = f.c.FetchControl(context.Background(), f.url, ctl.Validators, prefix)
				if !errors.Is(err, ErrNotModified) {
					t.Errorf("unchanged: %v", err)
				}
				f.srv.Put("/d/t.dat.zsync", append(bytes.Clone(f.control), 0))
				f.srv.SetValidators("/d/t.dat.zsync", `"new"`, time.Now())
				if _, err = f.c.FetchControl(context.Background(), f.url, ctl.Validators, prefix); err != nil {
					t.Errorf("changed: %v", err)
				}
			})
		}
	}
}

// The body of a server without ranges is left when enough of it is here.
func TestFetchControlStops(t *testing.T) {
	f := newFixture(t, fixtureOptions{length: 8 << 20, blockSize: 512})
	f.srv.Add(rangetest.Rule{Fault: rangetest.IgnoreRange})
	if _, err := f.c.FetchControl(context.Background(), f.url, Validators{}, 4096); err != nil {
		t.Fatal(err)
	}
	if got := f.c.Stats().BytesReceived; got > 64<<10 {
		t.Errorf("%d bytes read", got)
	}
}

func TestFetchControlFaults(t *testing.T) {
	tests := []struct {
		name string
		data func(control []byte) []byte
		rule rangetest.Rule
		text string
		kind any
	}{
		{"empty", func([]byte) []byte { return nil }, rangetest.Rule{}, "ends inside its header, after 0 bytes", new(*format.ShortError)},
		{"cut header", func(p []byte) []byte { return p[:40] }, rangetest.Rule{}, "ends inside its header, after 40 bytes", new(*format.ShortError)},
		{"cut records", func(p []byte) []byte { return p[:len(p)-1] }, rangetest.Rule{}, "record", new(*format.ParseError)},
		{"cut records, no length", func(p []byte) []byte { return p[:len(p)-1] }, rangetest.Rule{Fault: rangetest.NoLength}, "record", new(*format.ParseError)},
		{"html", nil, rangetest.Rule{Fault: rangetest.LoginPage}, "control file line 1", new(*format.ParseError)},
		{"404", nil, rangetest.Rule{Fault: rangetest.Status, Status: 404}, "404 Not Found", new(*StatusError)},
		{"304 unasked", nil, rangetest.Rule{Fault: rangetest.Status, Status: 304}, "304", new(*StatusError)},
		{"500", nil, rangetest.Rule{Fault: rangetest.Status, Status: 500}, "500 Internal", new(*StatusError)},
		{"multipart", nil, rangetest.Rule{Fault: rangetest.Multipart}, "multipart", nil},
		{"gzip", nil, rangetest.Rule{Fault: rangetest.Gzip}, "Content-Encoding", nil},
		{"wrong start", nil, rangetest.Rule{Fault: rangetest.ContentRange, Text: "bytes 1-100/101"}, "server sent [1,101)", nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, fixtureOptions{})
			if tc.data != nil {
				f.srv.Put("/d/t.dat.zsync", tc.data(f.control))
			}
			f.srv.Add(tc.rule)
			_, err := f.c.FetchControl(context.Background(), f.url, Validators{}, 0)
			wantText(t, err, tc.text)
			wantText(t, err, "fetch control file "+f.url.String())
			if tc.kind != nil && !errors.As(err, tc.kind) {
				t.Errorf("%v is no %T", err, tc.kind)
			}
			if !strings.HasPrefix(tc.name, "500") && f.srv.Count("") > 1 {
				t.Errorf("%d requests", f.srv.Count(""))
			}
		})
	}
}

func TestFetchControlPassingFaults(t *testing.T) {
	for _, rule := range []rangetest.Rule{
		{Fault: rangetest.Status, Status: 503, Times: 1},
		{Fault: rangetest.Reset, After: 100, Times: 1},
		{Fault: rangetest.ShortBody, After: 1000, Times: 2},
	} {
		f := newFixture(t, fixtureOptions{})
		f.srv.Add(rule)
		if _, err := f.c.FetchControl(context.Background(), f.url, Validators{}, 0); err != nil {
			t.Errorf("%v: %v", rule, err)
		}
	}
}

func TestFetchControlRange(t *testing.T) {
	for name, rule := range map[string]rangetest.Rule{
		"ranges":    {},
		"no ranges": {Fault: rangetest.IgnoreRange},
		"no length": {Fault: rangetest.NoLength},
		"reset":     {Fault: rangetest.Reset, After: 3000, Times: 2},
		"503":       {Fault: rangetest.Status, Status: 503, Times: 2},
		"short":     {Fault: rangetest.ShortBody, After: 3000, Times: 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fixtureOptions{})
			f.srv.Add(rule)
			size := int64(len(f.control))
			for _, r := range []format.Range{{Start: 0, End: size}, {Start: 200, End: 8000}, {Start: size - 1, End: size}, {Start: 7, End: 7}} {
				var got []byte
				err := f.c.FetchControlRange(shortly(t, 20*time.Second), f.ctl(), r, func(off int64, p []byte) error {
					if off != r.Start+int64(len(got)) || len(p) > 256<<10 || len(p) == 0 {
						t.Errorf("%d bytes at %d", len(p), off)
					}
					got = append(got, p...)
					return nil
				})
				if err != nil || !bytes.Equal(got, f.control[r.Start:r.End]) {
					t.Errorf("%v: %d bytes, %v", r, len(got), err)
				}
			}
		})
	}
}

func TestFetchControlRangeChanged(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	ctl, err := f.c.FetchControl(context.Background(), f.url, Validators{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	none := func(int64, []byte) error { return nil }
	r := format.Range{Start: 100, End: 200}
	f.srv.Put("/d/t.dat.zsync", f.otherControl())
	if err := f.c.FetchControlRange(context.Background(), ctl, r, none); !errors.Is(err, ErrTargetChanged) {
		t.Errorf("new header: %v", err)
	}
	f.srv.Put("/d/t.dat.zsync", f.control[:300])
	f.srv.SetValidators("/d/t.dat.zsync", "", time.Time{})
	if err := f.c.FetchControlRange(context.Background(), ctl, r, none); !errors.Is(err, ErrTargetChanged) {
		t.Errorf("new length: %v", err)
	}
	if err := f.c.FetchControlRange(context.Background(), ctl, format.Range{Start: 0, End: 1 << 40}, none); err == nil {
		t.Error("a range past the end was accepted")
	}
	ctl.Validators = Validators{Length: -1}
	for name, rule := range map[string]rangetest.Rule{"range": {}, "whole": {Fault: rangetest.NoLength}} {
		f.srv.ClearRules()
		f.srv.Add(rule)
		var parse *format.ParseError
		err := f.c.FetchControlRange(context.Background(), ctl, format.Range{Start: 200, End: 400}, none)
		if !errors.As(err, &parse) {
			t.Errorf("%s: truncated file of unknown length: %v", name, err)
		}
	}
	mine := errors.New("mine")
	f.srv.ClearRules()
	f.srv.Put("/d/t.dat.zsync", f.control)
	if err := f.c.FetchControlRange(context.Background(), ctl, r, func(int64, []byte) error { return mine }); err != mine {
		t.Errorf("deliver's error came back as %v", err)
	}
}

// A refused connection is told soon, and a host that is known to be down at once.
func TestControlOfDeadServer(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	f.srv.Stop()
	_, err := f.c.FetchControl(context.Background(), f.url, Validators{}, 0)
	wantText(t, err, "connection refused")
	h := f.c.host(f.url)
	h.mu.Lock()
	h.notBefore = time.Now().Add(time.Hour)
	h.mu.Unlock()
	before := f.c.Stats().Requests
	_, _, err = f.c.List(context.Background(), f.url, Validators{})
	wantText(t, err, "is failing")
	if f.c.Stats().Requests != before {
		t.Error("a shut gate let a request in")
	}
}

func TestFetchAll(t *testing.T) {
	for name, rule := range map[string]rangetest.Rule{
		"ranges":     {},
		"no ranges":  {Fault: rangetest.IgnoreRange},
		"no length":  {Fault: rangetest.NoLength},
		"reset once": {Fault: rangetest.Reset, After: 500_000, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fixtureOptions{length: 3<<20 + 5})
			f.srv.Add(rule)
			s := f.source()
			if err := f.fetchAll(shortly(t, 20*time.Second), s); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// markNoRanges makes all candidates such that are streamed.
func markNoRanges(s *Source) {
	for _, c := range s.candidates {
		c.noRanges = time.Now().Add(time.Hour)
	}
}

func TestFetchAllBodies(t *testing.T) {
	tests := []struct {
		name string
		rule rangetest.Rule
		text string // "" for success
	}{
		{"reset", rangetest.Rule{Fault: rangetest.Reset, After: 300_000, Times: 2}, ""},
		{"short", rangetest.Rule{Fault: rangetest.ShortBody, After: 700_000, Times: 1}, ""},
		{"flip", rangetest.Rule{Fault: rangetest.Flip, After: 900_000, Times: 1}, ""},
		{"broken without length", rangetest.Rule{Fault: rangetest.CleanShort, After: 700_000, Times: 1}, ""},
		{"too short", rangetest.Rule{Fault: rangetest.CleanShort, After: 700_000}, "wrong length: 700000 bytes"},
		{"too long", rangetest.Rule{Fault: rangetest.LongBody, Text: "x"}, "wrong length: more than the 1049353"},
		{"endless", rangetest.Rule{Fault: rangetest.Endless}, "wrong length: more than"},
		{"other length", rangetest.Rule{Fault: rangetest.LoginPage}, "wrong length: 53 bytes"},
		{"wrong bytes", rangetest.Rule{Fault: rangetest.Flip, After: 900_000}, "block 439"},
		{"404", rangetest.Rule{Fault: rangetest.Status, Status: 404}, "404"},
		{"gzip", rangetest.Rule{Fault: rangetest.Gzip}, "Content-Encoding"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, fixtureOptions{client: func(o *Options) { o.StallTimeout = time.Minute }}) // nothing stalls here
			f.srv.Add(tc.rule)
			s := f.source()
			markNoRanges(s)
			err := f.fetchAll(shortly(t, time.Minute), s)
			if tc.text == "" && err != nil {
				t.Fatal(err)
			}
			if tc.text != "" {
				wantSourceError(t, err, tc.text)
			}
		})
	}
}

func TestEmptyTarget(t *testing.T) {
	f := newFixture(t, fixtureOptions{length: 1})
	f.target = nil
	f.control, f.header = controlFor(t, nil, 2048)
	s := f.source()
	if err := f.fetchAll(context.Background(), s); err != nil {
		t.Error(err)
	}
	if f.srv.Count("") != 0 {
		t.Error("nothing was to be asked")
	}
}

func TestList(t *testing.T) {
	srv := startServer(t)
	u := mustURL(srv.URL("/a/"))
	c := newClient(t, Options{Origins: []*url.URL{u}})
	srv.Put("/a/", []byte(`<html><head><title>Index of /a/</title></head><body><h1>Index of /a/</h1><pre><a href="../">../</a>
<a href="x.iso.zsync">x.iso.zsync</a> 1
<a href="sub/">sub/</a> -
</pre></body></html>`))
	srv.Add(rangetest.Rule{Path: "/a/", Header: map[string][]string{"Content-Type": {"text/html"}}})
	l, v, err := c.List(context.Background(), u, Validators{})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Files) != 1 || l.Files[0].URL != srv.URL("/a/x.iso.zsync") || len(l.Dirs) != 1 {
		t.Errorf("listing %+v", l)
	}
	if _, _, err := c.List(context.Background(), u, v); !errors.Is(err, ErrNotModified) {
		t.Errorf("unchanged: %v", err)
	}
	for text, rule := range map[string]rangetest.Rule{
		"401 Unauthorized": {Fault: rangetest.Status, Status: 401},
		"Content-Encoding": {Fault: rangetest.Gzip},
	} {
		srv.ClearRules()
		srv.Add(rule)
		_, _, err := c.List(context.Background(), u, Validators{})
		wantText(t, err, text)
		wantText(t, err, "fetch listing "+u.String())
	}
}

func TestListPages(t *testing.T) {
	srv := startServer(t)
	u := mustURL(srv.URL("/b/?list-type=2"))
	c := newClient(t, Options{Origins: []*url.URL{u}})
	page := func(key, next string) []byte {
		token := ""
		if next != "" {
			token = "<NextContinuationToken>" + next + "</NextContinuationToken>"
		}
		return fmt.Appendf(nil, `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix></Prefix>
<IsTruncated>%v</IsTruncated>%s<Contents><Key>%s</Key></Contents></ListBucketResult>`, next != "", token, key)
	}
	srv.Put("/b/", page("z.iso.zsync", "more"))
	xml := map[string][]string{"Content-Type": {"application/xml"}}
	srv.Add(rangetest.Rule{Path: "/b/", Header: xml})
	// The same page again and again: an end must come of itself.
	if _, _, err := c.List(context.Background(), u, Validators{}); err == nil {
		t.Error("pages without end were accepted")
	}
	if n := srv.Count(""); n > maxPages {
		t.Errorf("%d pages", n)
	}
}

func TestReadPageBound(t *testing.T) {
	a := &answer{length: maxPage + 1, body: &body{ended: true}}
	if _, err := new(Client).readPage(t.Context(), a); err == nil {
		t.Error("a page above the bound was accepted")
	}
}
