package fs

import (
	"bytes"
	"net/url"
	"testing"

	"github.com/zsyncfs/zsyncfs/blockstore"
	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// source is a server that has a file of repeated bytes as /t, in blocks of 4096 bytes,
// and what a mount of its control file is made of.
type source struct {
	server  *rangetest.Server
	control *url.URL
	client  *zsyncclient.Client
	store   *blockstore.Store
}

func newSource(t *testing.T, length int) source {
	t.Helper()
	data := bytes.Repeat([]byte("0123456789abcdef"), length/16)
	b, err := format.NewBuilder(format.BuilderOptions{BlockSize: 4096, Filename: "t", URLs: []string{"t"}})
	must(t, err)
	b.Write(data)
	var control bytes.Buffer
	_, err = b.WriteTo(&control)
	must(t, err)
	s := source{server: rangetest.New()}
	must(t, s.server.Start())
	t.Cleanup(s.server.Stop)
	s.server.Put("/t", data)
	s.server.Put("/t.zsync", control.Bytes())
	s.control, err = url.Parse(s.server.URL("/t.zsync"))
	must(t, err)
	s.client, err = zsyncclient.New(zsyncclient.Options{Origins: []*url.URL{s.control}})
	must(t, err)
	t.Cleanup(s.client.Close)
	s.store, err = blockstore.Open(t.TempDir(), blockstore.Options{})
	must(t, err)
	t.Cleanup(func() { s.store.Close() })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
