package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/zsyncfs/zsyncfs/cmd/internal/making"
	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/format"
)

// notInside is why a gzip file cannot be described by its content: what zsync
// 0.6.2 would make of such a control file is wrong, or nothing.
type notInside struct{ why string }

func (e *notInside) Error() string { return e.why }

func notInsidef(text string, args ...any) error { return &notInside{fmt.Sprintf(text, args...)} }

// makeInside makes the control file of what is inside of a gzip file, with a map;
// when that cannot be, of the gzip file as it is.
func (m *maker) makeInside(ctx context.Context, j job, in *input) error {
	if m.exact && m.noRecompress {
		return report.WithHint(fmt.Errorf("%s: conflicting request for compression and exactness: -e and -C", j.title()),
			"with -Z the gzip file itself is described, which is exact")
	}
	if !in.regular {
		spool, err := in.spool(ctx)
		if err != nil {
			return named(j, err)
		}
		defer spool.Close()
	}
	err := m.tryInside(ctx, m.inside(j), in)
	var not *notInside
	switch {
	case !errors.As(err, &not):
		return err
	case m.exact:
		return report.WithHint(fmt.Errorf("%s: %w", j.title(), err), "with -Z the gzip file itself is described, which is exact")
	}
	m.console.note("%s: described as it is, as with -Z: %s", j.title(), not.why)
	return m.makeAsIs(ctx, j, in)
}

// tryInside is makeInside without the way out: *notInside. j is of the content.
func (m *maker) tryInside(ctx context.Context, j job, in *input) error {
	h, err := format.ReadGzipHeader(bufio.NewReader(io.NewSectionReader(in.file, 0, in.state.Length)))
	switch {
	case errors.Is(err, format.ErrNotGzip):
		return &notInside{err.Error()}
	case err != nil:
		return named(j, err)
	case h.Odd:
		return notInsidef("its header has more than a name, which zsync 0.6.2 cannot pass over")
	}
	b, err := m.newBuilder(j, in)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	guessed := make(chan guess, 1)
	go func() { guessed <- m.guess(ctx, h, in) }()
	raw, err := m.mapGzip(ctx, h, in, b)
	if err != nil {
		stop()
	}
	g := <-guessed
	stop()
	if err != nil {
		return named(j, err)
	}
	if err := m.take(j, g); err != nil {
		return err
	}
	// The guess may have read what the map did not see.
	if now, err := making.Settled(context.WithoutCancel(ctx), in.file); err != nil || now != in.state {
		return named(j, errors.Join(making.ErrChanged, err))
	}
	details := format.GzipDetails{ZMap: raw}
	if g.fits && j.name != "" { // without a name, zsync 0.6.2 crashes on it
		details.Recompress = format.FormatRecompress(h, g.options)
		if hasExtension(j.packedName) {
			details.ZFilename = j.packedName
		}
	}
	if err := b.SetGzip(details); err != nil {
		return named(j, err)
	}
	var parse *format.ParseError
	if _, err := b.Header(); errors.As(err, &parse) && parse.Header == "Z-Map2" {
		return notInsidef("its map would be too long: %v", parse.Err)
	}
	return m.finish(j, b)
}

// take says what g means, and whether that will do.
func (m *maker) take(j job, g guess) error {
	switch {
	case g.fits && g.nearly && m.compat:
		m.console.note("%s: Recompress is not as zsyncmake 0.6.2 writes it, which looks at the first 900 bytes and is wrong here", j.title())
		return nil
	case g.fits || m.noRecompress:
		return nil
	case g.nearly:
		return notInsidef("%s", g.why)
	case m.exact:
		return report.WithHint(fmt.Errorf("%s: recompression required, but could not determine gzip options to reproduce this archive: %s", j.title(), g.why),
			"with -Z the gzip file itself is described, which is exact")
	}
	m.console.note("%s: clients get the uncompressed content, since %s; with -Z they get the gzip file itself", j.title(), g.why)
	return nil
}

// mapGzip gives b the content of in and is the map.
func (m *maker) mapGzip(ctx context.Context, h *format.GzipHeader, in *input, b *format.Builder) ([]byte, error) {
	pr, pw := io.Pipe()
	fed := make(chan error, 1)
	go func() {
		err := in.feed(ctx, m.console.count(pw))
		pw.CloseWithError(err)
		fed <- err
	}()
	crc := crc32.NewIEEE()
	w := bufio.NewWriterSize(b, 2<<20) // much at a time is summed on several cores
	r := bufio.NewReader(pr)
	raw, end, err := []byte(nil), format.ZPoint{}, error(nil)
	if _, err = r.Discard(len(h.Raw)); err == nil {
		raw, end, err = format.MapGzip(h, r, b.BlockSize(), io.MultiWriter(w, crc))
	}
	if err == nil {
		err = w.Flush()
	}
	pr.Close()
	if read := <-fed; read != nil && !errors.Is(read, io.ErrClosedPipe) {
		return nil, read
	}
	switch {
	case errors.Is(err, format.ErrZMapGap):
		return nil, notInsidef("%v; try a smaller block size with -b", err)
	case err != nil:
		return nil, notInsidef("%v", err)
	case end.Out == 0:
		return nil, notInsidef("there is nothing inside, and clients refuse an empty target")
	}
	return raw, checkTrailer(in, end, crc.Sum32())
}

// checkTrailer says whether the file ends with the trailer of its first member.
func checkTrailer(in *input, end format.ZPoint, crc uint32) error {
	at := (end.Bit + 7) / 8
	var trailer [8]byte
	if n, err := in.file.ReadAt(trailer[:], at); n < len(trailer) {
		if errors.Is(err, io.EOF) {
			return notInsidef("it ends within its trailer")
		}
		return err
	}
	switch {
	case binary.LittleEndian.Uint32(trailer[:]) != crc || binary.LittleEndian.Uint32(trailer[4:]) != uint32(end.Out):
		return notInsidef("it is damaged: its checksum or length is not that of its content")
	case at+int64(len(trailer)) < in.state.Length:
		return notInsidef("%d bytes follow its first member, which zsync 0.6.2 would lose", in.state.Length-at-int64(len(trailer)))
	}
	return nil
}

// spool copies a stream to a temporary file, which in has from then on. The caller
// closes it.
func (in *input) spool(ctx context.Context) (*spooled, error) {
	f, err := os.CreateTemp("", making.TempPattern)
	if err != nil {
		return nil, err
	}
	s := &spooled{f}
	if err := in.feed(ctx, f); err != nil {
		s.Close()
		return nil, err
	}
	state, err := making.Settled(ctx, f)
	if err != nil {
		s.Close()
		return nil, err
	}
	in.file, in.regular, in.state = f, true, state
	return s, nil
}

// spooled is a temporary file that goes when it is closed.
type spooled struct{ *os.File }

func (s *spooled) Close() error {
	return errors.Join(s.File.Close(), os.Remove(s.Name()))
}
