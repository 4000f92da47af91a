package bytesize

import (
	"fmt"

	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
	"github.com/zsyncfs/zsyncfs/format"
)

// CheckBlock accepts block sizes that a control file may have, and 0, which
// leaves the choice to the maker. The error has a hint.
func (s Size) CheckBlock() error {
	if s == 0 || s >= format.MinBlockSize && s <= format.MaxBlockSize && s&(s-1) == 0 {
		return nil
	}
	return report.WithHint(fmt.Errorf("block size %d cannot be used", s),
		"it must be a power of two from %d to %d", format.MinBlockSize, format.MaxBlockSize)
}
