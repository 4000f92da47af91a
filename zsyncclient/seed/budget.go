package seed

// budget bounds the work that a seed can cause which is made so that much seems to
// match and nothing does. One unit is about the work of looking at one offset in
// vain, a nanosecond or less: looking at an offset earns some, look-ups and strong
// checks cost what they take. Blocks that are found earn more than they cost.
// Without credit nothing is looked up, but runs are followed: they cannot fail more
// often than they succeeded.
//
// Real data spends less than a tenth of what it earns, with 5 GiB of target and one
// block for a match three tenths.
type budget struct{ credit int64 }

const (
	// earned for each offset. A strong check of a byte takes about two units; so a
	// scan takes at most about four times as long as without.
	earned = 2
	// lookupCost is for one look-up in a table that the caches do not hold.
	lookupCost = 100
	// lanesGain is how much faster many strong checksums at once are than one.
	lanesGain = 4
)

func (b *budget) scanned(offsets int) { b.credit += earned * int64(offsets) }

func (b *budget) spend(cost int64) { b.credit -= cost }

func (b *budget) spent() bool { return b.credit < 0 }
