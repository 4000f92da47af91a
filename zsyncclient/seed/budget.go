package seed

import "math"

// budget bounds the work that a seed can cause which is made so that much seems to
// match and nothing does. One unit is about the work of looking at one offset in
// vain, a nanosecond or less: looking at an offset earns some, look-ups and strong
// checks cost what they take. Blocks that are found earn more than they cost.
// Without credit offsets are passed over, but runs are followed: they cannot fail
// more often than they succeeded.
//
// Real data spends a tenth of what it earns, with 5 GiB of target in blocks of 2048
// bytes up to four fifths; the more a larger target is expected to spend by chance,
// the more is earned (expectedCost).
type budget struct {
	credit int64
	rate   float64 // earned for each offset
}

const (
	// earned for each offset, at least.
	earned = 2
	// mostEarned bounds it where rsums are so short that every offset has one: the
	// publisher chooses their length.
	mostEarned = 6
	// hitCost is for one key that the near level of the filter lets through.
	hitCost = 2
	// lookupCost is for one look-up in a table that the caches do not hold.
	lookupCost = 60
	// searchCost is for finding one's way among many blocks of equal key.
	searchCost = 300
	// rsumGain and lanesGain are how much cheaper a byte is than one that is
	// hashed alone: when it is summed by the rsum, and when it is hashed in lanes.
	rsumGain, lanesGain = 16, 4
)

func (b *budget) scanned(offsets int) { b.credit += int64(b.rate * float64(offsets)) }

func (b *budget) spend(cost int64) { b.credit -= cost }

func (b *budget) spent() bool { return b.credit < 0 }

// expectedCost is what an offset of random bytes costs, since filters and rsums let
// some through by chance.
func (s *scan) expectedCost() float64 {
	keys := float64(s.countKeys())
	near := s.filter.near.rate(keys)
	if s.filter.halves {
		near += math.Ldexp(keys, -8*s.x.rsum)
	}
	far := letThrough(keys, 2, 64*float64(len(s.filter.far)))
	rsum := math.Ldexp(keys, -8*s.x.rsum*s.seq)
	block := float64(s.x.geometry.BlockSize)
	check := lookupCost + block/rsumGain + float64(s.seq)*block/lanesGain
	return near*(hitCost+far*lookupCost) + rsum*check
}
