package main

// series are versions of an image, each made from the one before it by changes in
// place.
type series struct {
	folder string // of the web server's root
	name   func(i int) string
	count  int
	length int64 // of each, in bytes
	seed   uint64
}

// versionPath is that of the i-th version on the local disk.
func (b *bench) versionPath(s series, i int) string { return b.original(s.folder + s.name(i)) }

// makeSeries fills the folder with the versions and their control files.
func (b *bench) makeSeries(s series) error {
	if err := b.newRootFolder(s.folder); err != nil {
		return err
	}
	for i := range s.count {
		if err := b.writeVersion(s, i); err != nil {
			return err
		}
		if err := b.made(b.versionPath(s, i)); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) writeVersion(s series, i int) error {
	path := b.versionPath(s, i)
	if i == 0 {
		return writeImage(path, s.length, []content{{0, s.length}}, s.seed)
	}
	return writeChanged(path, b.versionPath(s, i-1), 0, s.length, changed, s.seed+uint64(i))
}
