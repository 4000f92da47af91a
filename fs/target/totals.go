package target

import "sync/atomic"

// totals count for all targets of a pool, also those that are closed.
type totals struct {
	fetched, reused             atomic.Int64 // bytes
	verified, suspect, repaired atomic.Int64 // verifications of a whole
}

// Totals are counted since the pool was made.
type Totals struct {
	Fetched int64 // bytes of blocks that arrived from sources
	Reused  int64 // bytes of blocks that were found in other versions and seeds
	// Verified and Suspect are how often the digest of a whole file agreed, and did not;
	// Repaired is how often what had been reused was fetched because it did not.
	Verified, Suspect, Repaired int64
}

// Totals is a snapshot. Safe for concurrent use.
func (p *Pool) Totals() Totals {
	t := &p.totals
	return Totals{
		Fetched: t.fetched.Load(), Reused: t.reused.Load(),
		Verified: t.verified.Load(), Suspect: t.suspect.Load(), Repaired: t.repaired.Load(),
	}
}
