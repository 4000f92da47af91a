package page

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// actsKept is how many actions are shown that have ended.
	actsKept = 10
	// actsAtOnce bounds the actions under way.
	actsAtOnce = 4
)

// trusted says whether a request carries the token.
func (s *server) trusted(r *http.Request) bool {
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && subtle.ConstantTimeCompare([]byte(bearer), []byte(s.token)) == 1
}

// act begins an action; the page shows what comes of it.
func (s *server) act(w http.ResponseWriter, r *http.Request) {
	if !s.trusted(r) {
		http.Error(w, "this takes the token: it is in the file http-token of the cache directory", http.StatusForbidden)
		return
	}
	action, which, name := r.PostFormValue("action"), r.PostFormValue("which"), r.PostFormValue("name")
	if !slices.Contains([]string{"pin", "unpin", "verify", "evict"}, action) || which == "" {
		http.Error(w, "no such action", http.StatusBadRequest)
		return
	}
	if err := s.acts.begin(action, name, func(ctx context.Context) (string, error) { return s.source.Act(ctx, action, which) }); err != nil {
		http.Error(w, err.Error(), http.StatusTooManyRequests)
		return
	}
	http.Redirect(w, r, "/#actions", http.StatusSeeOther)
}

// oneAct is an action that somebody asked for.
type oneAct struct {
	Action, Name string
	Began        time.Time
	Ended        time.Time // zero while it is under way
	Result       string
	Failed       bool
}

// acts are the actions under way and the last ones that ended. Safe for concurrent use.
type acts struct {
	ctx context.Context // ends what is under way

	mu   sync.Mutex
	list []*oneAct // the newest first; guarded by mu
}

var errBusy = errors.New("other actions are under way; try again when they have ended")

// begin does an action in the background.
func (a *acts) begin(action, name string, do func(context.Context) (string, error)) error {
	one := &oneAct{Action: action, Name: name, Began: time.Now()}
	a.mu.Lock()
	defer a.mu.Unlock()
	running := 0
	for _, o := range a.list {
		if o.Ended.IsZero() {
			running++
		}
	}
	if running >= actsAtOnce {
		return errBusy
	}
	ended := 0
	a.list = slices.DeleteFunc(slices.Insert(a.list, 0, one), func(o *oneAct) bool {
		if !o.Ended.IsZero() {
			ended++
		}
		return ended > actsKept && !o.Ended.IsZero()
	})
	go func() {
		result, err := do(a.ctx)
		a.mu.Lock()
		defer a.mu.Unlock()
		one.Ended, one.Result = time.Now(), result
		if err != nil {
			one.Result, one.Failed = err.Error(), true
		}
	}()
	return nil
}

// all is a snapshot, the newest first.
func (a *acts) all() []oneAct {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]oneAct, 0, len(a.list))
	for _, o := range a.list {
		out = append(out, *o)
	}
	return out
}
