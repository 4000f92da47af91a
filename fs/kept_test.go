package fs

import (
	"bufio"
	"bytes"
	"net/url"
	"reflect"
	"testing"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

func TestKept(t *testing.T) {
	raw := []byte("zsync: 0.6.2\nFilename: a\nBlocksize: 2048\nLength: 5000\nHash-Lengths: 1,4,16\nURL: a\n" +
		"SHA-1: 9c60edea5cc41ad01c95f711fc58030a2f42aa6d\n\n")
	h, err := format.ReadHeader(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse("https://user:word@example.org/a%20b/a.zsync?x=1")
	other, _ := url.Parse("https://cdn.example.org/1/a.zsync")
	for _, final := range []*url.URL{u, other} {
		ctl := &zsyncclient.Control{
			URL: u, Final: final, Header: h, Raw: raw,
			Validators: zsyncclient.Validators{ETag: `"e"`, LastModified: "Sat, 28 Nov 2026 01:23:55 GMT"},
		}
		k := keep(ctl)
		if got := k.control(); !reflect.DeepEqual(got, ctl) {
			t.Errorf("%+v, not %+v", got, ctl)
		}
	}
	none := keep(&zsyncclient.Control{Raw: []byte("x")})
	if got := none.control(); got.Header == nil || got.URL == nil || got.Final == nil {
		t.Errorf("%+v", got)
	}
}
