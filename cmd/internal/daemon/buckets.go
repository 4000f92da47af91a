package daemon

// WaitBuckets are the reads that waited, by the seconds that they took at most, each
// with all that took less, and how many they are in all.
func (r *ReadStatus) WaitBuckets() (buckets map[float64]uint64, count uint64) {
	buckets = map[float64]uint64{}
	for i, n := range r.wait.Counts {
		count += uint64(n)
		if i < len(r.wait.Bounds) {
			buckets[r.wait.Bounds[i].Seconds()] = count
		}
	}
	return buckets, count
}
