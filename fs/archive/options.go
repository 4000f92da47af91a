package archive

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient"
	"github.com/zsyncfs/zsyncfs/zsyncclient/listing"
)

// ErrNotExist says that a directory has no entry of that name, or has it no
// more. It is no fs.ErrNotExist: a file of the store that is missing must not
// look like an artifact that is not there.
var ErrNotExist = errors.New("not in the archive")

// ErrClosed says that the archive was closed.
var ErrClosed = errors.New("the archive is closed")

// Options for the constructors. Client must be set; of the rest the zero value
// works.
type Options struct {
	// Client makes the requests. The archive does not close it.
	Client *zsyncclient.Client
	// Meta keeps listings and headers across restarts; nil keeps nothing.
	Meta Meta
	// Refresh is the age after which a listing or header is revalidated.
	// Default 60 s.
	Refresh time.Duration
	// StaleWait is how long a caller waits for a revalidation before it goes on
	// with the stale copy. Default 300 ms; negative: not at all.
	StaleWait time.Duration
	// Retry is how long a failure is remembered; it doubles with each failure
	// that follows, up to eight times. Default 3 s.
	Retry time.Duration
	// Parallel bounds the header fetches at a time. Default 16.
	Parallel int
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Warn is told what a person should know. It is called without a lock, from
	// any goroutine. Default: nobody.
	Warn func(error)
	// Changed is called when a directory's listing or a file's header changed,
	// once for each entry that came, went, or became another: dir is the path
	// of its directory from the root ("" is the root), name the entry as shown,
	// without ".zsync". It is called from one goroutine of the archive, never
	// under a lock, and may call the archive, but not Close. Close waits for it.
	Changed func(dir, name string)

	// client stands in for Client in tests.
	client fetcher
}

// Meta is the part of a store that the archive needs. An error of MetaGet means
// that the key is not there. A value is at most 1 MiB.
type Meta interface {
	MetaGet(key string) ([]byte, error)
	MetaPut(key string, value []byte) error
	MetaDelete(key string) error
}

// fetcher is the part of *zsyncclient.Client that the archive needs.
type fetcher interface {
	List(ctx context.Context, u *url.URL, prev zsyncclient.Validators) (*listing.Listing, zsyncclient.Validators, error)
	FetchControl(ctx context.Context, u *url.URL, prev zsyncclient.Validators, prefix int64) (*zsyncclient.Control, error)
	DocumentKey(u *url.URL) string
}

func (o Options) withDefaults() Options {
	if o.client == nil {
		o.client = o.Client
	}
	if o.Meta == nil {
		o.Meta = noMeta{}
	}
	if o.Refresh <= 0 {
		o.Refresh = time.Minute
	}
	if o.StaleWait == 0 {
		o.StaleWait = 300 * time.Millisecond
	}
	if o.Retry <= 0 {
		o.Retry = 3 * time.Second
	}
	if o.Parallel <= 0 {
		o.Parallel = 16
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	return o
}

type noMeta struct{}

func (noMeta) MetaGet(string) ([]byte, error) { return nil, fs.ErrNotExist }
func (noMeta) MetaPut(string, []byte) error   { return nil }
func (noMeta) MetaDelete(string) error        { return nil }
