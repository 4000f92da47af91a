package blockstore

import "fmt"

// MetaGet is the value that was last put under key. Errors: ErrNotFound,
// also when the value was lost to damage; ErrClosed. Safe for concurrent use.
func (s *Store) MetaGet(key string) ([]byte, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	return s.index.metaValue(key)
}

// MetaPut puts small metadata of the layers above: listings, headers,
// validators. The key, at most MaxMetaKey bytes, and the value, at most
// MaxMetaValue bytes, are theirs. It is durable after the next checkpoint.
// It is a cache as all of the store: a value can be lost to damage. Values whose
// key has a colon, as a URL has, are of what can be had again: of more than 64 MiB of
// them those that were put longest ago go.
//
// Errors: ErrInvalid; ErrFull (wrapped); ErrClosed. Safe for concurrent use.
func (s *Store) MetaPut(key string, value []byte) error {
	if len(key) > MaxMetaKey || len(value) > MaxMetaValue {
		return fmt.Errorf("%w: metadata with a key of %d and a value of %d bytes", ErrInvalid, len(key), len(value))
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.index.setMeta(key, metaEntries(key, value))
}

// MetaDelete removes the value of key, if it has one. Errors: as MetaPut.
func (s *Store) MetaDelete(key string) error {
	if len(key) > MaxMetaKey {
		return fmt.Errorf("%w: a key of %d bytes", ErrInvalid, len(key))
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.index.setMeta(key, []entry{{key: indexMeta + key}})
}
