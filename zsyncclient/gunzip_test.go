package zsyncclient

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

func gzipped(members ...[]byte) []byte {
	var b bytes.Buffer
	for _, m := range members {
		z := gzip.NewWriter(&b)
		_, _ = z.Write(m)
		_ = z.Close()
	}
	return b.Bytes()
}

// copyFixture is a fixture whose target is there as a gzip copy only.
func copyFixture(t *testing.T, packed func(target []byte) []byte) *fixture {
	f := newFixture(t, fixtureOptions{length: 300_001, client: func(o *Options) { o.StallTimeout = time.Second }})
	f.header.ZURLs = []string{"t.dat.gz"}
	f.srv.Remove("/d/t.dat")
	f.srv.Put("/d/t.dat.gz", packed(f.target))
	return f
}

func TestGzipCopy(t *testing.T) {
	encoded := http.Header{"Content-Encoding": {"x-gzip"}}
	half := func(p []byte) []byte { return gzipped(p[:100_000], nil, p[100_000:]) }
	one := func(p []byte) []byte { return gzipped(p) }
	for name, tc := range map[string]struct {
		packed func([]byte) []byte
		rule   rangetest.Rule
	}{
		"plain":         {one, rangetest.Rule{}},
		"members":       {half, rangetest.Rule{}},
		"encoded":       {one, rangetest.Rule{Header: encoded}},
		"broken once":   {one, rangetest.Rule{Fault: rangetest.ShortBody, After: 150_000, Times: 1}},
		"reset once":    {one, rangetest.Rule{Fault: rangetest.Reset, After: 150_000, Times: 1}},
		"cut once":      {one, rangetest.Rule{Fault: rangetest.CleanShort, After: 150_000, Times: 1}},
		"chunked":       {one, rangetest.Rule{Fault: rangetest.NoLength}},
		"503 once":      {one, rangetest.Rule{Fault: rangetest.Status, Status: 503, Times: 1}},
		"wrong trailer": {func(p []byte) []byte { b := gzipped(p); b[len(b)-5] ^= 1; return b }, rangetest.Rule{}},
	} {
		t.Run(name, func(t *testing.T) {
			f := copyFixture(t, tc.packed)
			tc.rule.Path = "/d/t.dat.gz"
			f.srv.Add(tc.rule)
			s := f.source()
			// Ranges are not to be had, and the caller is told why.
			err := f.fetch(shortly(t, 9*time.Second), s, format.BlockRange{Start: 1, End: 3})
			if !errors.Is(err, ErrNoRanges) {
				t.Fatalf("%v is not ErrNoRanges", err)
			}
			wantText(t, err, "404 Not Found from "+f.srv.URL("/d/t.dat"))
			wantText(t, err, f.srv.URL("/d/t.dat.gz")+": it is a gzip copy")
			if _, err := f.fetchRuns(shortly(t, 9*time.Second), s, everyOther(5)); !errors.Is(err, ErrNoRanges) {
				t.Fatalf("%v is not ErrNoRanges", err)
			}
			if err := f.fetchAll(shortly(t, 9*time.Second), s); err != nil {
				t.Fatal(err)
			}
			if s.URL() != f.srv.URL("/d/t.dat.gz") {
				t.Errorf("blocks came from %s", s.URL())
			}
		})
	}
}

func TestBadGzipCopy(t *testing.T) {
	for name, tc := range map[string]struct {
		packed func([]byte) []byte
		text   string
	}{
		"not gzip":      {func(p []byte) []byte { return p }, "the gzip copy is damaged"},
		"empty":         {func(p []byte) []byte { return nil }, "the gzip copy is damaged"},
		"cut off":       {func(p []byte) []byte { return gzipped(p)[:200_000] }, "the gzip copy is damaged"},
		"damaged":       {func(p []byte) []byte { b := gzipped(p); clear(b[5000:6000]); return b }, ""},
		"shorter":       {func(p []byte) []byte { return gzipped(p[:len(p)-1]) }, "wrong length: 300000 bytes"},
		"other bytes":   {func(p []byte) []byte { return gzipped(make([]byte, len(p))) }, ErrWrongBlocks.Error()},
		"longer":        {func(p []byte) []byte { return gzipped(p, []byte("x")) }, "wrong length: more than the 300001 bytes"},
		"bomb":          {func(p []byte) []byte { return gzipped(p, make([]byte, 2<<20)) }, "wrong length: more than the 300001 bytes"},
		"empty members": {func(p []byte) []byte { return bytes.Repeat(gzipped(nil), 100_000) }, "the gzip copy is longer than 1648578 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			f := copyFixture(t, tc.packed)
			err := f.fetchAll(shortly(t, 9*time.Second), f.source())
			wantSourceError(t, err, tc.text)
			if strings.Contains(err.Error(), "context") {
				t.Errorf("it went on until the end: %v", err)
			}
		})
	}
}

// A plain candidate goes before a copy while it serves.
func TestGzipCopyLast(t *testing.T) {
	f := copyFixture(t, func(p []byte) []byte { return gzipped(p) })
	f.srv.Put("/d/t.dat", f.target)
	if err := f.fetchAll(shortly(t, 9*time.Second), f.source()); err != nil {
		t.Fatal(err)
	}
	// One without ranges as well.
	f.srv.Add(rangetest.Rule{Path: "/d/t.dat", Fault: rangetest.IgnoreRange})
	if err := f.fetchAll(shortly(t, 9*time.Second), f.source()); err != nil {
		t.Fatal(err)
	}
	if n := f.srv.Count("/d/t.dat.gz"); n != 0 {
		t.Errorf("%d requests for the copy", n)
	}
	// One that never answers does not keep the copy away.
	f.srv.ClearRules()
	f.header.URLs = []string{"http://127.0.0.1:1/t.dat"}
	f.c.AddOrigin(mustURL("http://127.0.0.1:1/"))
	f.srv.Remove("/d/t.dat")
	if err := f.fetchAll(shortly(t, 9*time.Second), f.source()); err != nil {
		t.Fatal(err)
	}
}

// A control file of no known address has absolute candidates only.
func TestSourceWithoutURL(t *testing.T) {
	f := newFixture(t, fixtureOptions{})
	f.header.ZURLs = []string{"t.dat.gz"}
	ctl := f.ctl()
	ctl.URL, ctl.Final = nil, nil
	f.header.URLs = []string{"t.dat", f.srv.URL("/d/t.dat")}
	if err := f.fetch(shortly(t, 9*time.Second), f.c.NewSource(ctl, nil), f.all()); err != nil {
		t.Fatal(err)
	}
	f.header.URLs = []string{"t.dat", "/d/a#b"}
	wantSourceError(t, f.fetch(shortly(t, 9*time.Second), f.c.NewSource(ctl, []*url.URL{mustURL(f.srv.URL("/d/"))}), f.all()), errRelative.Error())
	f.header.URLs = nil
	f.header.ZURLs = nil
	wantSourceError(t, f.fetch(shortly(t, 9*time.Second), f.c.NewSource(ctl, nil), f.all()), "names no source")
	if err := f.c.FetchControlRange(shortly(t, time.Second), ctl, format.Range{End: 1}, nil); err == nil {
		t.Error("a part of a control file without a URL")
	}
}

func TestGunzipReader(t *testing.T) {
	f := copyFixture(t, func(p []byte) []byte { return gzipped(p) })
	a, err := f.c.get(shortly(t, 9*time.Second), ask{url: mustURL(f.srv.URL("/d/t.dat.gz")), packed: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(&gunzip{b: a.body, size: a.length, most: maxPacked(int64(len(f.target)))})
	a.body.done()
	if err != nil || !bytes.Equal(got, f.target) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
