package fs

import (
	"bufio"
	"bytes"
	"net/url"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// kept is a Control without records in little memory: the kernel may know a node of
// each of many thousand artifacts for as long as the mount is there, and few of them
// are ever opened. A header that was read takes four times its bytes, which are the
// archive's own; so it is read again when it is needed, in some microseconds.
type kept struct {
	raw        []byte
	url        string
	final      string // where the redirects led; empty where that is url
	validators zsyncclient.Validators
}

func keep(ctl *zsyncclient.Control) kept {
	k := kept{raw: ctl.Raw, validators: ctl.Validators}
	if ctl.URL != nil {
		k.url = ctl.URL.String()
	}
	if ctl.Final != nil && ctl.Final != ctl.URL {
		if final := ctl.Final.String(); final != k.url {
			k.final = final
		}
	}
	return k
}

func (k *kept) equal(o *kept) bool {
	return k.url == o.url && k.final == o.final && k.validators == o.validators && bytes.Equal(k.raw, o.raw)
}

// control is what keep was given, but for its records.
func (k *kept) control() *zsyncclient.Control {
	c := &zsyncclient.Control{URL: parseURL(k.url), Raw: k.raw, Validators: k.validators}
	if c.Final = c.URL; k.final != "" {
		c.Final = parseURL(k.final)
	}
	var err error
	if c.Header, err = format.ReadHeader(bufio.NewReaderSize(bytes.NewReader(k.raw), 512)); err != nil {
		c.Header = &format.Header{} // cannot be: the archive read the same bytes
	}
	return c
}

// parseURL parses what URL.String gave.
func parseURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		return &url.URL{}
	}
	return u
}
