package main

import (
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
)

func TestPrintStatus(t *testing.T) {
	now := time.Now()
	s := &daemon.Status{PID: 7, Version: "v", Since: now, Store: daemon.StoreStatus{Dir: "/c"},
		Mounts: []daemon.MountStatus{{Dir: "/m", Source: "http://h/", Requests: 1, LimitRate: 500 << 10,
			Open: []daemon.ArtifactStatus{{URL: "http://h/c.zsync", Blocks: 4, BlocksLocal: 1, State: "provisional", Users: 1}}},
			{Dir: "/n", Archive: "daily", Source: "http://h/n/", Rate: 3 << 20,
				Reads: daemon.ReadStatus{Local: 5, LocalBytes: 1 << 20, Waited: 2, WaitedBytes: 8 << 10, WaitSeconds: 0.05, Failed: 1,
					LastFailure: &daemon.FaultStatus{Path: "d\x1b", Error: "no bytes\ncame", Time: now.Add(-time.Minute)}},
				Open: []daemon.ArtifactStatus{{URL: "http://h/n/d.zsync", Blocks: 4, BlocksLocal: 1, State: "provisional", Users: 3, Rate: 2 << 20,
					Readers: []daemon.ReaderStatus{{PID: 0}, {PID: 12, Program: "cat", Open: 2}, {PID: 13, Program: "\x1b[2J", Open: 1}}}}}},
		Gets: []daemon.GetStatus{
			{Source: "http://h/a.zsync", Since: now, Step: "fetching", Done: 1 << 20, Total: 3 << 20, Known: 2 << 20, Length: 4 << 20},
			{Source: "http://h/b.zsync", Since: now, Step: "waiting", LimitRate: 1 << 20},
		}}
	var out strings.Builder
	if err := printStatus(&out, s); err != nil {
		t.Fatal(err)
	}
	_, mounts, _ := strings.Cut(out.String(), "\n\n")
	var lines []string
	for line := range strings.Lines(mounts) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	want := `/m http://h/
names 0, of which 0 looked at (0 B)
network 1 request, 0 B received, 0 failed, at most 500 KiB/s
open http://h/c.zsync: 0 B, 1 of 4 blocks here (25.0 %), 0 B reused, 0 B fetched, provisional, 1 reader

/n http://h/n/ (archive daily)
names 0, of which 0 looked at (0 B)
network 0 requests, 0 B received (now 3.0 MiB/s), 0 failed
reads 5 answered at once (1.0 MiB), 2 after a wait (8.0 KiB, 25ms on the mean), 1 failed
failed 1m0s ago: d\x1b: no bytes; came
open http://h/n/d.zsync: 0 B, 1 of 4 blocks here (25.0 %), 0 B reused, 0 B fetched (now 2.0 MiB/s), provisional, 3 readers (cat 12, \x1b[2J 13)

get http://h/a.zsync
step fetching, 1.0 MiB of 3.0 MiB
under way 0s
here 2.0 MiB of 4.0 MiB (50.0 %)

get http://h/b.zsync
step waiting
under way 0s, at most 1.0 MiB/s`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestPrintTrouble: a store that keeps nothing more says so, since when, why, and what
// to do.
func TestPrintTrouble(t *testing.T) {
	s := &daemon.Status{PID: 7, Version: "v", Since: time.Now(), Store: daemon.StoreStatus{Dir: "/c", Trouble: &daemon.TroubleStatus{
		Since: time.Now().Add(-90 * time.Second), Error: "no room: write blocks: no space left on device", Hint: "make room",
	}}}
	var out strings.Builder
	if err := printStatus(&out, s); err != nil {
		t.Fatal(err)
	}
	want := "trouble for 1m30s, nothing more is kept; reads go on, except with --verify=strict: no room: write blocks: no space left on device hint make room"
	if got := strings.Join(strings.Fields(out.String()), " "); !strings.HasSuffix(got, want) {
		t.Errorf("%q does not end with %q", got, want)
	}
}

// TestPrintHostileStatus: root may ask the daemon of anybody, whose words act on no terminal.
func TestPrintHostileStatus(t *testing.T) {
	const foul = "\x1b[31m"
	var out strings.Builder
	for _, pid := range []int{0, 1} {
		s := &daemon.Status{PID: pid, Version: foul, Page: foul, Store: daemon.StoreStatus{Dir: foul}, Mounts: []daemon.MountStatus{{
			Dir: foul, Archive: foul, Source: foul, Open: []daemon.ArtifactStatus{{URL: foul, State: foul}},
		}}}
		if err := printStatus(&out, s); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("%q", out.String())
	}
}

func TestServedAt(t *testing.T) {
	for _, tt := range []struct {
		page, address string
		want          bool
	}{
		{"http://127.0.0.1:8090/", "127.0.0.1:8090", true},
		{"http://127.0.0.1:8090/", "localhost:8090", true},
		{"http://[::]:80/", ":http", true},
		{"http://127.0.0.1:40001/", "127.0.0.1:0", true},
		{"http://127.0.0.1:8090/", "127.0.0.1:8091", false},
		{"", "127.0.0.1:8090", false},
		{"", "127.0.0.1:0", false},
	} {
		if got := servedAt(tt.page, tt.address); got != tt.want {
			t.Errorf("%q at %q: %v", tt.page, tt.address, got)
		}
	}
}
