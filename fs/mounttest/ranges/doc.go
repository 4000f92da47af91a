// Package ranges tests package zsyncclient against real web servers: how many
// requests and bytes scattered runs of blocks take, by the servers' own logs, and
// that this is no more than zsync 0.6 takes where that is installed.
//
// What the servers do with many ranges in one request (measured with Debian's
// nginx 1.22, apache2 2.4 and lighttpd 1.4):
//
//	nginx     answers as many as its buffer for a header line holds, 8 KiB (400
//	          and more); beyond it 400
//	apache2   answers 200 (MaxRanges), chunked when there are many; for more it
//	          sends the whole file with 200; a Range header of over 8 KiB is 400
//	lighttpd  answers the first 10 and leaves the others out; beyond its limit of
//	          a header's size 431
//
// The tests need neither root nor a mount. They skip servers that are missing.
package ranges
