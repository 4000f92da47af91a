package daemon

import (
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/fs/target"
)

func TestHistory(t *testing.T) {
	var h history
	at := time.Unix(1_000_000, 0)
	step := func(received, fetched int64, urls ...string) {
		at = at.Add(time.Second)
		var open []target.Stats
		for _, u := range urls {
			open = append(open, target.Stats{URL: u, Fetched: fetched})
		}
		h.note(Sample{Time: at, Received: received}, open)
	}
	if h.rate() != 0 || h.rateOf("a") != 0 || len(h.all()) != 0 {
		t.Error("something is known of nothing")
	}
	for i := range int64(20) {
		step(1000*i, 500*i, "a", "b")
	}
	if r := h.rate(); r != 1000 {
		t.Errorf("received: %v bytes/s, want 1000", r)
	}
	if r := h.rateOf("a"); r < 490 || r > 500 {
		t.Errorf("a is fetched by %v bytes/s, want 500", r)
	}
	step(19_000, 0, "a") // a was opened anew, b is not open any more
	if h.rateOf("a") != 0 || h.rateOf("b") != 0 {
		t.Errorf("a %v, b %v bytes/s", h.rateOf("a"), h.rateOf("b"))
	}
	for range rateOver / time.Second {
		step(19_000, 0, "a")
	}
	if h.rate() != 0 {
		t.Errorf("%v bytes/s after a rest", h.rate())
	}
	for range 2 * historyLength {
		step(19_000, 0)
	}
	all := h.all()
	if len(all) != historyLength || !all[len(all)-1].Time.Equal(at) || all[0].Time.After(all[1].Time) || len(h.fetched) != 0 {
		t.Errorf("%d samples up to %v, %d artifacts", len(all), all[len(all)-1].Time, len(h.fetched))
	}
}
