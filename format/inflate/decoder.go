package inflate

import (
	"bytes"
	"io"
)

// WindowSize is how far back a stream refers at most, in bytes.
const WindowSize = 32 << 10

// MaxEmptyBlocks is how many blocks without any output may follow each other.
const MaxEmptyBlocks = 1 << 16

// maxCopy is the longest copy that one symbol makes, in bytes.
const maxCopy = 258

const outputSize = 2*WindowSize + 32<<10

// state is what comes next in the stream.
type state int

const (
	atHeader state = iota
	inCodes
	inStored
	atEnd
)

// Decoder decodes one DEFLATE stream, or a part of it. The zero value needs
// Start or Enter. Not safe for concurrent use.
type Decoder struct {
	in    input
	state state
	final bool // of the block under way
	left  int  // bytes of the stored block under way
	empty int  // blocks without output in a row

	literals, distances *table
	own                 [2]table // those of dynamic blocks
	lengths             table
	codeLengths         [maxLiterals + 34]uint8

	// out holds history and, from done on, output that was not read yet.
	out   []byte
	first int   // where history starts
	done  int   // read up to here
	end   int   // decoded up to here
	total int64 // decoded in all
	err   error
}

// Start begins at the header of a block, bit of the stream; r's first byte is the
// one that has this bit. window is the output before it, of which the last
// WindowSize bytes are kept. Errors: those of r.
func (d *Decoder) Start(r io.Reader, bit int64, window []byte) error {
	if d.out == nil {
		d.out = make([]byte, outputSize)
	}
	if over := len(window) - WindowSize; over > 0 {
		window = window[over:]
	}
	d.state, d.final, d.left, d.empty, d.total = atHeader, false, 0, 0, 0
	d.first = 0
	d.end = copy(d.out, window)
	d.done = d.end
	d.err = d.in.reset(r, bit)
	return d.err
}

// Enter begins inside a block, at bit, between two symbols or stored bytes. The
// block starts at the bit of number block; header are bytes from the one on that
// has this bit, as many as its header takes. r and window are as with Start.
func (d *Decoder) Enter(header []byte, block int64, r io.Reader, bit int64, window []byte) error {
	if err := d.Start(bytes.NewReader(header), block, window); err != nil {
		return err
	}
	if d.err = d.header(); d.err != nil {
		return d.err
	}
	if d.state == inStored {
		past := bit - d.in.position()
		if past < 0 || past&7 != 0 || past>>3 > int64(d.left) {
			d.err = damaged("a point is not in its stored block")
			return d.err
		}
		d.left -= int(past >> 3)
	} else if bit < d.in.position() {
		d.err = damaged("a point is not in its block")
		return d.err
	}
	d.err = d.in.reset(r, bit)
	return d.err
}

// Read gives the next output. Errors: io.EOF after the last block;
// io.ErrUnexpectedEOF when the input ends before it; ErrDamaged and ErrHistory
// (wrapped); the reader's.
func (d *Decoder) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if d.done == d.end {
			if d.err != nil || d.state == atEnd {
				break
			}
			// No more than was asked for, so that no input is needed beyond it.
			d.advance(d.total + int64(len(p)-n))
			continue
		}
		c := copy(p[n:], d.out[d.done:d.end])
		d.done += c
		n += c
	}
	switch {
	case n > 0 || len(p) == 0:
		return n, nil
	case d.err != nil:
		return 0, d.err
	}
	return 0, io.EOF
}

// advance decodes until goal bytes were decoded in all, or a header of a block or
// the end is next, or there is no more room.
func (d *Decoder) advance(goal int64) {
	d.makeRoom()
	switch d.state {
	case atHeader:
		d.err = d.header()
	case inCodes:
		d.codes(goal)
	case inStored:
		d.stored(goal)
	}
}

// makeRoom moves the history to the start of the buffer when it is nearly full.
// All output has been read.
func (d *Decoder) makeRoom() {
	if d.end < len(d.out)-maxCopy {
		return
	}
	keep := max(d.first, d.end-WindowSize)
	d.end = copy(d.out, d.out[keep:d.end])
	d.first, d.done = 0, d.end
}

// header reads the header of a block.
func (d *Decoder) header() error {
	if d.empty++; d.empty > MaxEmptyBlocks {
		return damaged("no end of empty blocks")
	}
	v, err := d.in.take(3)
	if err != nil {
		return err
	}
	d.final = v&1 != 0
	switch v >> 1 {
	case 0:
		d.in.align()
		v, err := d.in.take(32)
		if err != nil {
			return err
		}
		if v&0xffff != ^v>>16&0xffff {
			return damaged("the length of a stored block is not what its complement says")
		}
		d.left, d.state = int(v&0xffff), inStored
		return nil
	case 1:
		d.literals, d.distances = fixedTables()
	case 2:
		if err := d.dynamic(); err != nil {
			return err
		}
		d.literals, d.distances = &d.own[0], &d.own[1]
	default:
		return damaged("a block of no known kind")
	}
	d.state = inCodes
	return nil
}

// dynamic reads the codes of a block.
func (d *Decoder) dynamic() error {
	v, err := d.in.take(14)
	if err != nil {
		return err
	}
	literals, distances, count := int(v&31)+257, int(v>>5&31)+1, int(v>>10)+4
	if literals > maxLiterals || distances > maxDistances {
		return damaged("too many symbols in a code")
	}
	var short [19]uint8
	for _, symbol := range lengthOrder[:count] {
		v, err := d.in.take(3)
		if err != nil {
			return err
		}
		short[symbol] = uint8(v)
	}
	if err := d.lengths.build(short[:], lengthMeanings, complete); err != nil {
		return err
	}
	all := d.codeLengths[:literals+distances]
	for i := 0; i < len(all); {
		symbol, err := d.lengthSymbol()
		if err != nil {
			return err
		}
		if symbol < 16 {
			all[i] = uint8(symbol)
			i++
			continue
		}
		extra, base, value := uint(2), 3, uint8(0)
		switch {
		case symbol == 17:
			extra = 3
		case symbol == 18:
			extra, base = 7, 11
		case i == 0:
			return damaged("a repeated length without one before it")
		default:
			value = all[i-1]
		}
		v, err := d.in.take(extra)
		if err != nil {
			return err
		}
		n := base + int(v)
		if n > len(all)-i {
			return damaged("too many lengths of codes")
		}
		for range n {
			all[i] = value
			i++
		}
	}
	if all[endOfBlock] == 0 {
		return damaged("a block without an end")
	}
	if err := d.own[0].build(all[:literals], literalMeanings, singleAlso); err != nil {
		return err
	}
	return d.own[1].build(all[literals:], distanceMeanings, noneAlso)
}

// lengthSymbol reads a symbol of the code of lengths, which has at most 7 bits.
func (d *Decoder) lengthSymbol() (int, error) {
	if d.in.count < 7 {
		d.in.refill()
	}
	e := d.lengths.entries[d.in.bits&(1<<d.lengths.bits-1)]
	if e.length() > d.in.count {
		return 0, d.in.ended()
	}
	d.in.drop(e.length())
	return e.value(), nil
}

// endBlock ends the block under way.
func (d *Decoder) endBlock() {
	d.state = atHeader
	if d.final {
		d.state = atEnd
	}
}

// stored copies bytes of a stored block.
func (d *Decoder) stored(goal int64) {
	want := min(int64(d.left), goal-d.total, int64(len(d.out)-d.end))
	if d.left == 0 {
		d.endBlock()
		return
	}
	n, err := d.in.copy(d.out[d.end : d.end+int(want)])
	d.err = err
	d.end += n
	d.left -= n
	d.total += int64(n)
	d.empty = 0
	if d.left == 0 {
		d.endBlock()
	}
}

// codes decodes symbols.
func (d *Decoder) codes(goal int64) {
	in, out := &d.in, d.out
	literals, distances := d.literals, d.distances
	literalMask, distanceMask := uint64(1)<<literals.bits-1, uint64(1)<<distances.bits-1
	end, begin := d.end, d.end
	last := min(int64(end)+goal-d.total, int64(len(out)-maxCopy))
	for int64(end) < last {
		// 48 bits are the most that a length and a distance take.
		if in.count < 48 {
			in.refill()
		}
		e := literals.entries[in.bits&literalMask]
		if e.kind() == kindLink {
			if in.count < tableBits {
				d.err = in.ended()
				break
			}
			in.drop(tableBits)
			e = literals.entries[e.value()+int(in.bits&(1<<e.extra()-1))]
		}
		if e.length() > in.count { // the input is at its end
			d.err = in.ended()
			break
		}
		in.drop(e.length())
		if e.kind() == kindLiteral {
			out[end] = byte(e >> 16)
			end++
			continue
		}
		if e.kind() != kindCopy {
			if d.endBlock(); e.kind() != kindEnd {
				d.err = damaged("no code has these bits")
			}
			break
		}
		length := e.value() + int(in.bits&(1<<e.extra()-1))
		if e.extra() > in.count {
			d.err = in.ended()
			break
		}
		in.drop(e.extra())
		e = distances.entries[in.bits&distanceMask]
		if e.kind() == kindLink {
			if in.count < tableBits {
				d.err = in.ended()
				break
			}
			in.drop(tableBits)
			e = distances.entries[e.value()+int(in.bits&(1<<e.extra()-1))]
		}
		if e.length()+e.extra() > in.count {
			d.err = in.ended()
			break
		}
		in.drop(e.length())
		if e.kind() != kindCopy {
			d.err = damaged("no code has these bits")
			break
		}
		distance := e.value() + int(in.bits&(1<<e.extra()-1))
		in.drop(e.extra())
		if distance > end-d.first {
			d.err = ErrHistory
			break
		}
		end = copyBack(out, end, distance, length)
	}
	if end > begin {
		d.empty = 0
	}
	d.total += int64(end - begin)
	d.end = end
}

// copyBack appends length bytes from distance before end, which may overlap.
func copyBack(out []byte, end, distance, length int) int {
	from := end - distance
	if distance >= length {
		return end + copy(out[end:end+length], out[from:from+length])
	}
	for to := end + length; end < to; {
		end += copy(out[end:to], out[from:end])
	}
	return end
}
