package signals

import "context"

// Await is the result of f, which may wait where no context reaches, as for the other
// end of a pipe; or ctx's error when ctx ends first. Then f goes on alone until the
// program ends, which it mostly is about to do.
func Await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
