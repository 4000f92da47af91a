package checksum

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls task(0) ... task(count-1), each once, on as many cores as Go
// may use, and returns when all are done. Lower numbers start first. Its
// goroutines end before it returns, so nobody has to close anything.
func parallel(count int, task func(int)) {
	var next atomic.Int64
	work := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= count {
				return
			}
			task(i)
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), count) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}
