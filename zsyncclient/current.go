package zsyncclient

// URL is where blocks come from: the candidate that served last, else the first
// that may be contacted; "" when there is none. It has no user information and
// no query.
func (s *Source) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		return s.current.text
	}
	for _, cand := range s.candidates {
		if cand.refused == nil {
			return cand.text
		}
	}
	return ""
}
