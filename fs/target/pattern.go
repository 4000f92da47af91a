package target

import "github.com/zsyncfs/zsyncfs/format"

const (
	// slackLeast, slackReads and slackMost are how far from where it is expected a
	// read of a burst may start: the kernel sends its readahead side by side, so
	// reads arrive out of order. So many reads' length, within bounds.
	slackLeast, slackReads, slackMost = 64 << 10, 4, 1 << 20
	// strideRepeats is how often in a row a stride must have been the same before
	// what lies further on is fetched.
	strideRepeats = 2
	// stridesFirst and stridesLimit are how many strides are fetched ahead: at
	// first, and at most.
	stridesFirst, stridesLimit = 4, 64
)

// pattern tells how a handle is read. Reads that go on where the one before ended
// are a burst: the kernel cuts one read of a program into several. Bursts whose
// starts are equally far from each other are strided; one that reads backwards has
// a stride of minus the length of its bursts. All else is random. The zero value has
// seen nothing.
type pattern struct {
	begun   bool
	burst   format.Range // the reads that went on
	streak  int          // how many reads of the burst went on
	length  int64        // of the burst before
	stride  int64        // from the start of the burst before to that of this one
	repeats int          // how often in a row the stride was the same
}

// note takes in a read, and says whether a burst began with it.
func (p *pattern) note(read format.Range) (began bool) {
	if p.begun && p.adjacent(read) {
		p.streak++
		p.burst.End = max(p.burst.End, read.End)
		return false
	}
	if p.begun {
		stride := read.Start - p.burst.Start
		if stride == p.stride {
			p.repeats++
		} else {
			p.stride, p.repeats = stride, 0
		}
		p.length = p.burst.Length()
	}
	p.begun, p.burst, p.streak = true, read, 0
	return true
}

// adjacent says whether read goes on in the burst.
func (p *pattern) adjacent(read format.Range) bool {
	off := read.Start
	if p.streak == 0 {
		return off == p.burst.End
	}
	slack := slackOf(read)
	return off >= p.burst.Start && off >= p.burst.End-slack && off <= p.burst.End+slack
}

func slackOf(read format.Range) int64 {
	return max(slackLeast, min(slackReads*read.Length(), slackMost))
}

// strided says whether the bursts are strided, as far as this one goes.
func (p *pattern) strided() bool {
	return p.repeats >= strideRepeats && p.burst.Length() <= 2*p.length
}

// bulk says whether the last read was one of many that can be foreseen.
func (p *pattern) bulk() bool { return p.streak > 0 || p.strided() }

// further is where the burst that is i strides further on is expected.
func (p *pattern) further(i int) format.Range {
	start := p.burst.Start + int64(i)*p.stride
	return format.Range{Start: start, End: start + max(p.length, p.burst.Length())}
}
