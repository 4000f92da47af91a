package footprint

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// profilePatience bounds the time for one profile.
const profilePatience = 60 * time.Second

// Profile is one of Go's profiles of the daemon whose store is the folder store: a path
// below /debug/pprof/.
func Profile(store, name string) (string, error) {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(store, "socket"))
		},
	}
	client := http.Client{Transport: transport, Timeout: profilePatience}
	reply, err := client.Get("http://daemon/debug/pprof/" + name)
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err == nil && reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("profile %s: %s: %s", name, reply.Status, text)
	}
	return string(text), err
}

// ofProfiles fills in what the Go runtime tells.
func (f *Footprint) ofProfiles(store string) error {
	text := ""
	// Twice before the one that counts: what a sync.Pool has, and what has a finalizer,
	// goes only then.
	for range 3 {
		var err error
		if text, err = Profile(store, "heap?debug=1&gc=1"); err != nil {
			return err
		}
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "# ")), " = ")
		n, _ := strconv.ParseInt(value, 10, 64)
		switch name {
		case "HeapAlloc":
			f.Heap = n
		case "HeapObjects":
			f.Objects = n
		}
	}
	if f.Heap == 0 || f.Objects == 0 {
		return fmt.Errorf("the heap profile does not tell how much is in use")
	}
	text, err := Profile(store, "goroutine?debug=1")
	f.Goroutines = goroutines(text)
	return err
}

// goroutines counts the goroutines of a profile by the function that each began with,
// whatever it is doing.
func goroutines(text string) map[string]int {
	out := map[string]int{}
	for _, group := range strings.Split(text, "\n\n") {
		count, began := 0, ""
		for line := range strings.Lines(group) {
			if n, _, ok := strings.Cut(line, " @ "); ok {
				count, _ = strconv.Atoi(n)
			}
			fields := strings.Fields(line)
			if len(fields) < 3 || fields[0] != "#" || !strings.HasPrefix(fields[1], "0x") {
				continue
			}
			// The innermost comes first; WaitGroup.Go begins all that it is given.
			if name, _, _ := strings.Cut(fields[2], "+0x"); !strings.HasPrefix(name, "sync.(*WaitGroup).Go") {
				began = name
			}
		}
		// But for the one that answers, and such of the runtime's own as have no stack.
		if count > 0 && began != "" && !strings.Contains(group, "net/http/pprof.") {
			out[began] += count
		}
	}
	return out
}

// Live is what is alive on the heap by the stacks that made it, as far as the profile's
// sample goes, the most bytes first: as much of it as a person wants to read.
func Live(store string) (string, error) {
	text, err := Profile(store, "heap?debug=1&gc=1")
	if err != nil {
		return "", err
	}
	const most, deepest = 15, 14
	type made struct {
		bytes int64
		stack []string
	}
	var all []made
	for _, group := range strings.Split(text, "\n\n") {
		lines := strings.Split(group, "\n")
		if strings.HasPrefix(lines[0], "heap profile") {
			lines = lines[1:]
		}
		var objects, bytes int64
		if len(lines) == 0 {
			continue
		}
		if n, _ := fmt.Sscanf(lines[0], "%d: %d [", &objects, &bytes); n == 2 && objects > 0 {
			all = append(all, made{bytes, lines[:min(len(lines), deepest)]})
		}
	}
	slices.SortFunc(all, func(a, b made) int { return cmp.Compare(b.bytes, a.bytes) })
	var out strings.Builder
	for _, m := range all[:min(len(all), most)] {
		out.WriteString(strings.Join(m.stack, "\n") + "\n\n")
	}
	return out.String(), nil
}
