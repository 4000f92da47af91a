package archive

import (
	"bufio"
	"bytes"
	"container/list"
	"fmt"
	"net/url"
	"sync"

	"github.com/zsyncfs/zsyncfs/format"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// header is the kept part of a control file. It is never changed.
type header struct {
	raw        []byte
	final      string // where the redirects led, without the query
	length     int64  // of the target, in bytes
	validators zsyncclient.Validators
}

// newHeader keeps what is needed of ctl, after reading it once more from its
// raw bytes: what cannot be read later must not replace a good copy now.
func newHeader(ctl *zsyncclient.Control) (*header, error) {
	h := &header{raw: bytes.Clone(ctl.Raw), validators: ctl.Validators}
	if ctl.Final != nil {
		h.final = withoutQuery(ctl.Final)
	}
	parsed, err := h.parse()
	if err != nil {
		return nil, err
	}
	h.length = parsed.Length
	return h, nil
}

// withoutQuery is u without its query: it may be a signature, which is a secret and
// another one each time, and relative URLs do not need it.
func withoutQuery(u *url.URL) string {
	v := *u
	v.RawQuery, v.ForceQuery = "", false
	return v.String()
}

func (h *header) parse() (*format.Header, error) {
	parsed, err := format.ReadHeader(bufio.NewReaderSize(bytes.NewReader(h.raw), 512))
	if err != nil {
		return nil, err
	}
	if parsed.Size != int64(len(h.raw)) {
		return nil, fmt.Errorf("the header ends at byte %d of %d", parsed.Size, len(h.raw))
	}
	return parsed, nil
}

// control is the header as the client gives it.
func (h *header) control(u *url.URL, records []byte) (*zsyncclient.Control, error) {
	parsed, err := h.parse()
	if err != nil {
		return nil, err
	}
	final := u
	if h.final != "" {
		if final, err = url.Parse(h.final); err != nil {
			return nil, err
		}
	}
	return &zsyncclient.Control{URL: u, Final: final, Header: parsed, Raw: h.raw, Records: records, Validators: h.validators}, nil
}

func (h *header) sameAs(o *header) bool {
	return h.final == o.final && h.validators == o.validators && bytes.Equal(h.raw, o.raw)
}

// Bounds of the header cache.
const (
	maxHeaders       = 20_000
	maxHeaderBytes   = 32 << 20
	maxRecordHolders = 64
	maxRecordBytes   = 16 << 10 // for each holder
)

// headerCache knows which headers are in memory, in order of use, and holds the
// first block records of the few files that were fetched alone last.
type headerCache struct {
	mu      sync.Mutex
	order   *list.List              // of *cached, the last used in front; guarded by mu
	at      map[*File]*list.Element // guarded by mu
	bytes   int64                   // of all raw headers; guarded by mu
	holders []recordHolder          // the last at the end; guarded by mu
}

type cached struct {
	f    *File
	size int64
}

type recordHolder struct {
	f       *File
	h       *header
	records []byte
}

func newHeaderCache() *headerCache {
	return &headerCache{order: list.New(), at: map[*File]*list.Element{}}
}

// put notes that f's header is in memory, and returns the files whose headers
// must leave it.
func (c *headerCache) put(f *File, h *header) (evicted []*File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removeLocked(f)
	size := int64(len(h.raw) + len(h.final))
	c.at[f] = c.order.PushFront(&cached{f, size})
	c.bytes += size
	for c.order.Len() > 1 && (c.order.Len() > maxHeaders || c.bytes > maxHeaderBytes) {
		old := c.order.Back().Value.(*cached).f
		c.removeLocked(old)
		evicted = append(evicted, old)
	}
	return evicted
}

// use moves f to the front, and returns the records that came with h, if any
// are held still.
func (c *headerCache) use(f *File, h *header) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.at[f]; e != nil {
		c.order.MoveToFront(e)
	}
	for i := range c.holders {
		if c.holders[i].f == f && c.holders[i].h == h {
			return c.holders[i].records
		}
	}
	return nil
}

// keepRecords holds the records that came with h; those of the file that was
// fetched longest ago go.
func (c *headerCache) keepRecords(f *File, h *header, records []byte) {
	records = bytes.Clone(records[:min(len(records), maxRecordBytes)])
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropRecords(f)
	if len(records) == 0 {
		return
	}
	if len(c.holders) >= maxRecordHolders {
		c.holders = append(c.holders[:0], c.holders[1:]...)
	}
	c.holders = append(c.holders, recordHolder{f, h, records})
}

// moveRecords gives the records that came with h to old, an equal header.
func (c *headerCache) moveRecords(f *File, h, old *header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.holders {
		if c.holders[i].f == f && c.holders[i].h == h {
			c.holders[i].h = old
		}
	}
}

func (c *headerCache) remove(f *File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removeLocked(f)
	c.dropRecords(f)
}

func (c *headerCache) removeLocked(f *File) {
	if e := c.at[f]; e != nil {
		c.bytes -= e.Value.(*cached).size
		c.order.Remove(e)
		delete(c.at, f)
	}
}

func (c *headerCache) dropRecords(f *File) {
	for i := range c.holders {
		if c.holders[i].f == f {
			c.holders = append(c.holders[:i], c.holders[i+1:]...)
			return
		}
	}
}
