package blockstore

import "github.com/zsyncfs/zsyncfs/format"

// Nowhere is a version of this header that keeps nothing, for when OpenVersion
// fails for want of room or of a working disk and reads must go on from
// elsewhere. Put and PutControl return ErrFull, ReadAt ErrUnknownBlock, Records
// ErrUnknownRecords; Close, Checkpoint, Discard, Forget and SetState do nothing.
func Nowhere(raw []byte, h *format.Header, place Place) *Version {
	return &Version{
		key: HeaderKey(raw, h, place), place: place, header: h,
		table: newTable(h.Geometry()), nowhere: true,
	}
}
