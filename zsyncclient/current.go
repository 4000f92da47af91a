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
	guess := ""
	for _, cand := range s.candidates {
		switch {
		case cand.refused != nil:
		case !cand.guessed:
			return cand.text
		case guess == "":
			guess = cand.text
		}
	}
	return guess
}
