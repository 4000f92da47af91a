package zsyncclient

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/format"
)

func TestSmoke(t *testing.T) {
	target := make([]byte, 3<<20+777)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range target {
		target[i] = byte(rng.Uint32())
	}
	b, err := format.NewBuilder(format.BuilderOptions{BlockSize: 2048, Filename: "t.dat", URLs: []string{"t.dat"}})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(target)
	var ctlBytes bytes.Buffer
	if _, err := b.WriteTo(&ctlBytes); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/t.dat":
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(target))
		case "/t.dat.zsync":
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(ctlBytes.Bytes()))
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	u, _ := url.Parse(srv.URL + "/t.dat.zsync")
	c, err := New(Options{Origins: []*url.URL{u}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()
	ctl, err := c.FetchControl(ctx, u, Validators{}, 4096)
	if err != nil {
		t.Fatal(err)
	}
	h := ctl.Header
	all := make([]byte, h.ControlLength())
	if err := c.FetchControlRange(ctx, ctl, format.Range{Start: h.Size, End: h.ControlLength()}, func(off int64, p []byte) error {
		copy(all[off:], p)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(target))
	s := c.NewSource(ctl, nil)
	err = s.Fetch(ctx, h.Geometry().All(), Foreground, func(_ context.Context, r format.BlockRange) ([]byte, error) {
		rr := h.RecordRange(r)
		return all[rr.Start:rr.End], nil
	}, func(first format.BlockID, data []byte) error {
		copy(got[h.Geometry().Offset(first):], data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, target) {
		t.Fatal("wrong bytes")
	}
}
