package footprint

import (
	"slices"
	"strings"
	"testing"
)

func TestGrown(t *testing.T) {
	before := &Footprint{Heap: 1000, Threads: 5, Goroutines: map[string]int{"a": 2}, Descriptors: map[string]int{"socket": 3}}
	now := &Footprint{Heap: 1500, Threads: 5, Goroutines: map[string]int{"a": 2, "b.c": 1}, Descriptors: map[string]int{"socket": 1}, Children: []string{"gzip"}}
	var names []string
	for _, line := range now.Grown(before, Room{}) {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, name)
	}
	if want := []string{"heap in bytes", "goroutines of b.c", "child processes"}; !slices.Equal(names, want) {
		t.Errorf("grown: %q, want %q", names, want)
	}
	now.Children = nil
	if grown := now.Grown(before, Room{Heap: 500, Of: map[string]int{"c": 1}}); grown != nil {
		t.Errorf("with room: %q", grown)
	}
}

func TestGoroutines(t *testing.T) {
	const text = `goroutine profile: total 5
2 @ 0x1 0x2
#	0x1	sync.(*Cond).Wait+0x85	/go/sync/cond.go:71
#	0x2	main.work+0x1	/main.go:1

1 @ 0x3
#	0x3	net/http/pprof.Index+0x1	/pprof.go:1

1 @ 0x4

1 @ 0x2 0x5
# labels: {"a":"b"}
#	0x2	main.work+0x1	/main.go:1
#	0x5	sync.(*WaitGroup).Go.func1+0x49	/go/sync/waitgroup.go:258
`
	got := goroutines(text)
	if len(got) != 1 || got["main.work"] != 3 {
		t.Errorf("%v", got)
	}
}

func TestPlace(t *testing.T) {
	for path, want := range map[string]string{
		"/versions/0a1b2c3d/data":    "/versions/VERSION/data",
		"/versions/p-0a1b2c/meta":    "/versions/p-VERSION/meta",
		"/versions/x-12 (deleted)":   "/versions/x-VERSION",
		"/index/log":                 "/index/log",
		"/tmp-123/left":              "/tmp-N/left",
		"/versions/0a1b/data.new.17": "/versions/VERSION/data.new.N",
	} {
		if got := place(path); got != want {
			t.Errorf("%s is at %s, want %s", path, got, want)
		}
	}
}
