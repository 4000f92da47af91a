package daemon

import (
	"context"
	"reflect"
	"sync"

	"github.com/zsyncfs/zsyncfs/cmd/internal/access"
	"github.com/zsyncfs/zsyncfs/zsyncclient"
)

// early is the client of the mount that a daemon is started for, whose connection is
// on its way before the store is open: a round trip of a far server is longer than that
// takes. nil is none. Safe for concurrent use.
type early struct {
	spec Spec

	mu     sync.Mutex
	client *zsyncclient.Client // guarded by mu; nil once it was taken
}

// connectEarly begins to connect to the server of o.First. What is wrong with it is
// told when it is mounted.
func connectEarly(ctx context.Context, o Options) *early {
	if o.First == nil {
		return nil
	}
	u, err := access.ParseURL(o.First.Source)
	if err != nil {
		return nil
	}
	client, err := o.First.newClient(ctx, o)
	if err != nil {
		return nil
	}
	client.Connect(u)
	return &early{spec: *o.First, client: client}
}

// take is the client, once, for a mount of the same spec; nil otherwise.
func (e *early) take(spec *Spec) *zsyncclient.Client {
	if e == nil || !reflect.DeepEqual(&e.spec, spec) {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	client := e.client
	e.client = nil
	return client
}

// close ends a client that nobody took.
func (e *early) close() {
	if e == nil {
		return
	}
	if client := e.take(&e.spec); client != nil {
		client.Close()
	}
}
