package blockstore

import (
	"errors"
	"sync"
	"testing"
	"time"
)

// TestTotalsAgree: versions are filled, emptied, closed and removed while checkpoints go
// on beside; then nothing is there, and nothing is counted.
func TestTotalsAgree(t *testing.T) {
	s, _ := openStore(t, t.TempDir())
	stop := make(chan struct{})
	var beside, users sync.WaitGroup
	beside.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				s.checkpoint()
			}
		}
	})
	for seed := range uint64(6) {
		m := makeTarget(t, seed, 200_000, 4096)
		users.Go(func() {
			for range 40 {
				v := m.open(t, s)
				m.fill(t, v)
				time.Sleep(time.Duration(seed) * time.Millisecond)
				if err := s.Remove(v.Key()); err != nil {
					t.Error(err)
				}
				must(t, v.Close())
				if err := s.Remove(v.Key()); err != nil && !errors.Is(err, ErrNotFound) {
					t.Error(err)
				}
			}
		})
	}
	users.Wait()
	close(stop)
	beside.Wait()
	if got := s.Stats(); got.Versions != 0 || got.DataBytes != 0 || got.SharedBytes != 0 {
		t.Errorf("nothing is there, but counted is %+v", got)
	}
	if err := s.index.each(indexVersion, func(name string, _ []byte) { t.Errorf("the index has %s", name) }); err != nil {
		t.Error(err)
	}
	must(t, s.Close())
}
