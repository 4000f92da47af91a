package blockstore

import "encoding/hex"

// Keep has the version of key stay when room is made for others, or no longer. It
// is durable after the next checkpoint, and ends with Remove. Errors: ErrClosed.
// Safe for concurrent use.
func (s *Store) Keep(key Key, keep bool) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	e := entry{key: indexKept + key.String()}
	if keep {
		e.value = []byte{}
	}
	return s.index.update([]entry{e})
}

// kept are the versions that stay.
func (s *Store) kept() map[Key]bool {
	out := map[Key]bool{}
	_ = s.index.each(indexKept, func(text string, _ []byte) {
		if raw, err := hex.DecodeString(text); err == nil && len(raw) == len(Key{}) {
			out[Key(raw)] = true
		}
	})
	return out
}
