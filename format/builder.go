package format

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/zsyncfs/zsyncfs/format/checksum"
)

// WriterVersion is what Builder writes as "zsync". Readers take the value as
// the version of the format, so it is the one whose rules are kept.
const WriterVersion = "0.6.2"

// BuilderOptions for NewBuilder. The zero value works.
//
// The default profile is one that zsync 0.6.2, 0.7 and AppImage's zsync2 all
// accept and by which all of them verify the result: MD4, lengths 1,4,16, the
// SHA-1 in the header of that name, and the SHA-256 in "File-Hash", which
// "Safe" announces before it. It is the only name in Safe, because readers
// disagree about what stands between two; but with SetGzip's Recompress there
// must be others, and commas, which 0.6.2 and 0.7 understand.
type BuilderOptions struct {
	// Filename is written as the target's name. Default: none is written.
	Filename string
	// MTime is the target's time of change. Default: none is written.
	MTime time.Time
	// BlockSize in bytes: a power of two in [MinBlockSize, MaxBlockSize].
	// Default: DefaultBlockSize(ExpectedLength).
	BlockSize int64
	// ExpectedLength of the target in bytes serves to choose the block size
	// only. Default 0: not known.
	ExpectedLength int64
	// URLs and ZURLs are where the target and its gzip copies will be, each a
	// valid reference (a space is %20). Default: none are written.
	URLs, ZURLs []string
	// Strong is the strong checksum. Default MD4; with another, zsync 0.6.2
	// cannot read the file.
	Strong checksum.Strong
	// Lengths says how much of the checksums to keep, once the length is known.
	// Default: FullLengths(Strong). HashLengths is that of zsyncmake 0.6.2.
	Lengths func(length, blockSize int64) Lengths
	// SHA1Only leaves out File-Hash and its name in Safe, as zsyncmake 0.6.2 knows
	// neither, and writes Safe, where it is needed, as that does.
	SHA1Only bool
	// ExtraRecord adds a copy of the last record behind it, as zsyncmake 0.6.2 does
	// when it has looked into a gzip file; and where the last block is full, before
	// that the record of a block of zeros. Readers pass over both.
	ExtraRecord bool
	// Encode is the order and form of the header's lines.
	Encode EncodeOptions
}

// Builder makes the control file of the target that is written to it. It keeps
// the records in memory: 20 bytes for each block with MD4. Not safe for
// concurrent use; it sums on several cores by itself when it is given
// a MiB or more at a time.
type Builder struct {
	o      BuilderOptions
	length int64
	sums   *checksum.TargetSums
	gzip   GzipDetails
	header *Header // when finished
}

// GzipDetails are what a control file says of the gzip file at its Z-URL.
type GzipDetails struct {
	// ZMap are the raw entries of the map, of MapGzip or a ZMapBuilder.
	ZMap []byte
	// Recompress is how the gzip file is made again of the target: see FormatRecompress.
	// Default: it cannot be.
	Recompress string
	// ZFilename is what it is called then. Default: as the target. It is written
	// together with Recompress only.
	ZFilename string
}

// NewBuilder checks o as far as it can be without the target.
func NewBuilder(o BuilderOptions) (*Builder, error) {
	if o.BlockSize == 0 {
		o.BlockSize = DefaultBlockSize(o.ExpectedLength)
	}
	if err := checkBlockSize(o.BlockSize); err != nil {
		return nil, fmt.Errorf("block size %w", err)
	}
	if !o.Strong.Valid() {
		return nil, fmt.Errorf("strong checksum %v is not known", o.Strong)
	}
	if o.Lengths == nil {
		o.Lengths = func(int64, int64) Lengths { return FullLengths(o.Strong) }
	}
	digests := []checksum.Digest{checksum.SHA1, checksum.SHA256}
	if o.SHA1Only {
		digests = digests[:1]
	}
	b := &Builder{o: o, sums: checksum.NewTargetSums(o.Strong, int(o.BlockSize), digests...)}
	// A fault in a name or URL is better told before a long file is read.
	if _, err := b.describe(0).Encode(o.Encode); err != nil {
		return nil, err
	}
	return b, nil
}

// Write takes the next bytes of the target. It fails when the target grows
// beyond MaxLength, and after Header or WriteTo.
func (b *Builder) Write(p []byte) (int, error) {
	if b.header != nil {
		return 0, errors.New("write to a control file that is finished")
	}
	if int64(len(p)) > MaxLength-b.length {
		return 0, fmt.Errorf("the target is longer than %d bytes", int64(MaxLength))
	}
	b.length += int64(len(p))
	return b.sums.Write(p)
}

// SetGzip says what is known of the gzip file, when all of it was read. It fails
// after Header and WriteTo.
func (b *Builder) SetGzip(g GzipDetails) error {
	if b.header != nil {
		return errors.New("details of a gzip file for a control file that is finished")
	}
	b.gzip = g
	return nil
}

// Header ends the target and is its header. Size is set.
func (b *Builder) Header() (*Header, error) {
	if _, err := b.finish(); err != nil {
		return nil, err
	}
	return b.header, nil
}

// finish ends the target and is the bytes of its header.
func (b *Builder) finish() ([]byte, error) {
	if b.header != nil {
		return b.header.Encode(b.o.Encode)
	}
	b.sums.Finish()
	h := b.describe(b.length)
	h.FileHashes = append(h.FileHashes, FileHash{Algorithm: "SHA-1", Digest: b.sums.Digest(checksum.SHA1)})
	if !b.o.SHA1Only {
		h.FileHashes = append(h.FileHashes, FileHash{Algorithm: "SHA-256", Digest: b.sums.Digest(checksum.SHA256)})
	}
	data, err := h.Encode(b.o.Encode)
	if err != nil {
		return nil, err
	}
	h.Size = int64(len(data))
	b.header = h
	return data, nil
}

// describe is the header of a target of length bytes, without its digests.
func (b *Builder) describe(length int64) *Header {
	l := b.o.Lengths(length, b.o.BlockSize)
	h := &Header{
		Writer:       WriterVersion,
		Filename:     b.o.Filename,
		MTime:        b.o.MTime,
		BlockSize:    b.o.BlockSize,
		Length:       length,
		SeqMatches:   l.SeqMatches,
		RsumLength:   l.Rsum,
		StrongLength: l.Strong,
		Strong:       b.o.Strong,
		URLs:         b.o.URLs,
		ZURLs:        b.o.ZURLs,
	}
	if !b.o.SHA1Only {
		h.Safe = []string{"File-Hash"}
	}
	h.ZMap = b.gzip.ZMap
	if b.gzip.Recompress == "" {
		return h
	}
	h.Recompress, h.ZFilename = b.gzip.Recompress, b.gzip.ZFilename
	if h.ZFilename != "" {
		h.Safe = append(h.Safe, "Z-Filename")
	}
	h.Safe = append(h.Safe, "Recompress")
	if b.o.SHA1Only {
		h.Safe = append(h.Safe, "MTime")
	}
	return h
}

// WriteTo ends the target and writes the complete control file. It can be
// called again.
func (b *Builder) WriteTo(w io.Writer) (int64, error) {
	data, err := b.finish()
	if err != nil {
		return 0, err
	}
	n, err := w.Write(data)
	total := int64(n)
	var last []byte
	for page := range b.sums.Records() {
		if err != nil {
			break
		}
		cut := b.cut(page)
		last = cut[max(0, len(cut)-int(b.header.RecordSize())):]
		n, err = w.Write(cut)
		total += int64(n)
	}
	if err == nil && b.o.ExtraRecord {
		n, err = w.Write(b.extra(last))
		total += int64(n)
	}
	return total, err
}

// extra is what zsyncmake 0.6.2 writes after the last record. It takes a line feed
// for one more: that overwrites the first of four bytes of the rsum, which often is
// none of those that are kept.
func (b *Builder) extra(last []byte) []byte {
	var out []byte
	if b.length%b.o.BlockSize == 0 {
		zeros := make([]byte, b.o.BlockSize) // their rsum is 0
		last = b.cut(b.o.Strong.SumBlocks(make([]byte, MaxRsumLength), zeros, len(zeros)))
		out = append(out, last...)
	}
	end := len(out)
	out = append(out, last...)
	if b.header.RsumLength == MaxRsumLength {
		out[end] = '\n'
	}
	return out
}

// cut is a page of full records cut to the header's lengths.
func (b *Builder) cut(page []byte) []byte {
	full := MaxRsumLength + b.o.Strong.Size()
	r, c := b.header.RsumLength, b.header.StrongLength
	if r+c == full {
		return page
	}
	out := make([]byte, 0, len(page)/full*(r+c))
	for ; len(page) >= full; page = page[full:] {
		out = append(out, page[MaxRsumLength-r:MaxRsumLength+c]...)
	}
	return out
}

// BlockSize is the block size in bytes.
func (b *Builder) BlockSize() int64 { return b.o.BlockSize }
