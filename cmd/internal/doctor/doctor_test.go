package doctor

import (
	"context"
	"testing"
	"time"
)

// TestWithin: a server that is just not slow enough for the client to leave it does not keep
// the doctor for ever.
func TestWithin(t *testing.T) {
	var r Report
	r.within(t.Context(), time.Millisecond, func(ctx context.Context) { <-ctx.Done() })
	if w := r.Worst(); w == nil || w.Text != "what is asked of it takes more than 1ms: context deadline exceeded" {
		t.Errorf("%+v", w)
	}
	r = Report{}
	r.within(t.Context(), time.Minute, func(context.Context) {})
	if len(r.Findings) > 0 {
		t.Errorf("%+v", r)
	}
}
