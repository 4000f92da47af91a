package metrics

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/cmd/internal/daemon"
)

// TestFiles: the dashboard and the alerts ask for metrics that there are.
func TestFiles(t *testing.T) {
	since := time.Now()
	there := scrape(t, daemon.Status{Mounts: []daemon.MountStatus{{Dir: "/m", Hosts: []daemon.HostStatus{{
		Host: "h", FailingSince: &since, ErrorKinds: map[string]int64{"timeout": 1},
	}}}}})
	name := regexp.MustCompile(`zsyncfs_[a-z_]+`)
	folder := filepath.Join("..", "..", "..", "scripts", "packaging")
	for _, file := range []string{"grafana/zsyncfs.json", "prometheus/alerts.yml"} {
		text, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".json") && !json.Valid(text) {
			t.Errorf("%s is no JSON", file)
		}
		found := name.FindAllString(string(text), -1)
		if len(found) < 5 {
			t.Errorf("%s asks for %d metrics", file, len(found))
		}
		for _, metric := range found {
			if !strings.Contains(there, "\n"+metric+"{") && !strings.Contains(there, "\n"+metric+" ") {
				t.Errorf("%s asks for %s, which there is not", file, metric)
			}
		}
	}
}
