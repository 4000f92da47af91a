package metrics

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
)

type fixed struct{ status daemon.Status }

func (f *fixed) Status() *daemon.Status { return &f.status }

func scrape(t *testing.T, s daemon.Status) string {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(&fixed{s}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestHandler(t *testing.T) {
	since := time.Now()
	text := scrape(t, daemon.Status{
		Version: "1.2",
		Store:   daemon.StoreStatus{Limit: 1000, DiskBytes: 10, Trouble: &daemon.TroubleStatus{}},
		Mounts: []daemon.MountStatus{
			{Dir: "/mnt/\"odd\"\n", Source: "http://h/", Archive: "daily", Entries: 4,
				Reads:  daemon.ReadStatus{Local: 7, LocalBytes: 70, Waited: 3, WaitedBytes: 30, WaitSeconds: 1.5, Failed: 1},
				Blocks: daemon.BlockStatus{FetchedBytes: 30, ReusedBytes: 5, Verified: 2},
				Open:   []daemon.ArtifactStatus{{Users: 2, Fetches: 3}, {Fetches: 1}},
				Hosts: []daemon.HostStatus{{Host: "h:80", Requests: 9, Received: 900, FailingSince: &since,
					ErrorKinds: map[string]int64{"timeout": 4}}}},
			{Dir: "/mnt/gone", Detached: true},
		},
	})
	for _, want := range []string{
		`zsyncfs_info{version="1.2"} 1`,
		`zsyncfs_store_limit_bytes 1000`,
		`zsyncfs_store_trouble 1`,
		`zsyncfs_mount_info{archive="daily",mount="/mnt/\"odd\"\n",source="http://h/"} 1`,
		`zsyncfs_reads_total{answered="local",mount="/mnt/\"odd\"\n"} 7`,
		`zsyncfs_read_bytes_total{answered="waited",mount="/mnt/\"odd\"\n"} 30`,
		`zsyncfs_block_bytes_total{mount="/mnt/\"odd\"\n",source="reused"} 5`,
		`zsyncfs_read_wait_seconds_sum{mount="/mnt/\"odd\"\n"} 1.5`,
		`zsyncfs_open_artifacts{mount="/mnt/\"odd\"\n"} 1`,
		`zsyncfs_fetches{mount="/mnt/\"odd\"\n"} 4`,
		`zsyncfs_http_errors_total{host="h:80",kind="timeout",mount="/mnt/\"odd\"\n"} 4`,
		`zsyncfs_http_host_failing{host="h:80",mount="/mnt/\"odd\"\n"} 1`,
		"process_resident_memory_bytes",
		"go_goroutines",
	} {
		if !strings.Contains(text, want+"\n") && !strings.Contains(text, want+" ") {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "/mnt/gone") {
		t.Error("a mount that is detached is shown")
	}
	if strings.Contains(scrape(t, daemon.Status{}), "zsyncfs_reads_total") {
		t.Error("reads without a mount")
	}
}

// TestStrangeNames: a control file may name a host, and a user a folder, with bytes that
// are no text, which must not end the daemon.
func TestStrangeNames(t *testing.T) {
	scrape(t, daemon.Status{Mounts: []daemon.MountStatus{{
		Dir: "/mnt/\xff", Source: "/list\xfe", Archive: "a",
		Hosts: []daemon.HostStatus{
			{Host: "\xff:80", ErrorKinds: map[string]int64{"name": 1}},
			{Host: "\xfe:80", ErrorKinds: map[string]int64{"name": 1}},
		},
	}}})
}
