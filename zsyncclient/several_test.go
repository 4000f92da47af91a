package zsyncclient

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zsyncfs/zsyncfs/zsyncclient/rangetest"
)

// frame is a rule that changes answers to several ranges, at times of them.
func frame(times int, change func(*rangetest.Frame)) rangetest.Rule {
	return rangetest.Rule{Several: 2, Times: times, Frame: change}
}

// header is a rule that changes the header of part i.
func header(i int, change func(string) string) rangetest.Rule {
	return frame(0, func(f *rangetest.Frame) { f.Parts[i].Header = change(f.Parts[i].Header) })
}

func replace(from, to string) func(string) string {
	return func(s string) string { return strings.ReplaceAll(s, from, to) }
}

// Whatever a server does to several ranges, the runs come, and in the requests
// that are due: single means that the host gets single ranges from then on.
func TestRunsFaults(t *testing.T) {
	const runs = 30
	tests := []struct {
		name   string
		rule   rangetest.Rule
		single bool // the host is asked for single ranges at the end
		most   int  // requests
	}{
		{"200", rangetest.Rule{Several: 2, Fault: rangetest.IgnoreRange}, true, runs + 1},
		{"400", rangetest.Rule{Several: 2, Fault: rangetest.Status, Status: 400}, true, runs + 1},
		{"403", rangetest.Rule{Several: 2, Fault: rangetest.Status, Status: 403}, true, runs + 1},
		{"413", rangetest.Rule{Several: 2, Fault: rangetest.Status, Status: 413}, true, runs + 1},
		{"416", rangetest.Rule{Several: 2, Fault: rangetest.Status, Status: 416}, true, runs + 1},
		{"431", rangetest.Rule{Several: 2, Fault: rangetest.Status, Status: 431}, true, runs + 1},
		{"500", rangetest.Rule{Several: 2, Fault: rangetest.Status, Status: 500}, true, runs + 1},
		{"501", rangetest.Rule{Several: 2, Fault: rangetest.Status, Status: 501}, true, runs + 1},
		{"reset", rangetest.Rule{Several: 2, Fault: rangetest.Reset}, true, runs + 1},
		{"gzip", rangetest.Rule{Several: 2, Fault: rangetest.Gzip}, true, runs + 1},
		{"500 once", rangetest.Rule{Several: 2, Fault: rangetest.Status, Status: 500, Times: 1}, true, runs + 1},
		{"wrong byte", rangetest.Rule{Several: 2, Fault: rangetest.Flip, After: 5 * testBlock}, true, runs + 1},
		{"wrong byte later once", rangetest.Rule{Several: 2, Fault: rangetest.Flip, After: 10 * 4 * testBlock, Every: testBlock, Times: 1}, false, 4},
		{"first only", frame(0, func(f *rangetest.Frame) {
			f.ContentRange, f.Parts = contentRangeOf(f.Parts[0]), f.Parts[:1]
			f.ContentType = "application/octet-stream"
		}), true, runs},
		{"first only as a part", frame(0, func(f *rangetest.Frame) { f.Parts = f.Parts[:1] }), true, runs},
		{"first ten", frame(0, func(f *rangetest.Frame) { f.Parts = f.Parts[:min(len(f.Parts), 10)] }), false, 4},
		{"joined", frame(0, joinParts), false, 2},
		{"joined to one", frame(0, func(f *rangetest.Frame) {
			joinParts(f)
			f.ContentRange = contentRangeOf(f.Parts[0])
			f.ContentType = "application/octet-stream"
		}), false, 2},
		{"reordered", frame(0, func(f *rangetest.Frame) { f.Parts[0], f.Parts[1] = f.Parts[1], f.Parts[0] }), true, runs + 1},
		{"missing", frame(0, func(f *rangetest.Frame) { f.Parts = append(f.Parts[:5:5], f.Parts[6:]...) }), true, runs + 1},
		{"extra", frame(0, func(f *rangetest.Frame) { f.Parts = append(f.Parts, f.Parts[0]) }), true, runs + 1},
		{"no parts", frame(0, func(f *rangetest.Frame) { f.Parts = nil; f.End = f.Start[2:] + f.End }), true, runs + 1},
		{"nothing", frame(0, func(f *rangetest.Frame) { *f = rangetest.Frame{ContentType: f.ContentType} }), true, runs + 1},
		{"wrong boundary", frame(0, func(f *rangetest.Frame) { f.ContentType = "multipart/byteranges; boundary=other" }), true, runs + 1},
		{"no boundary", frame(0, func(f *rangetest.Frame) { f.ContentType = "multipart/byteranges" }), true, runs + 1},
		{"long boundary", frame(0, func(f *rangetest.Frame) {
			f.ContentType = "multipart/byteranges; boundary=" + strings.Repeat("x", 71)
		}), true, runs + 1},
		{"quoted boundary", frame(0, func(f *rangetest.Frame) {
			f.ContentType = strings.Replace(f.ContentType, "=", "=\"", 1) + "\"; charset=x"
		}), false, 2},
		{"multipart/mixed", frame(0, func(f *rangetest.Frame) { f.ContentType = replace("byteranges", "mixed")(f.ContentType) }), true, runs + 1},
		{"LF only", frame(0, func(f *rangetest.Frame) {
			lf := replace("\r\n", "\n")
			f.Start, f.Between, f.End = lf(f.Start), lf(f.Between), lf(f.End)
			for i := range f.Parts {
				f.Parts[i].Header = lf(f.Parts[i].Header)
			}
		}), false, 2},
		{"no line end at the start and the end", frame(0, func(f *rangetest.Frame) {
			f.Start, f.End = strings.TrimPrefix(f.Start, "\r\n"), strings.TrimSuffix(f.End, "\r\n")
		}), false, 2},
		{"lower case", header(1, strings.ToLower), false, 2},
		{"other total", header(2, replace("/", "/1")), false, 0},
		{"no total", header(2, func(s string) string { return s[:strings.Index(s, "/2")] + "/*\r\n\r\n" }), false, 0},
		{"garbage", header(2, func(s string) string { return "\x00\xff\r\n" + s }), true, runs + 1},
		{"huge header", header(2, func(s string) string { return "X: " + strings.Repeat("y", 9000) + "\r\n" + s }), true, runs + 1},
		{"long header", header(2, func(s string) string { return strings.Repeat("X: yyyyyyyyyyyy\r\n", 600) + s }), true, runs + 1},
		{"two ranges", header(2, func(s string) string { return s[:len(s)-2] + s }), true, runs + 1},
		{"no range", header(2, func(string) string { return "\r\n" }), true, runs + 1},
		{"encoded part", header(2, func(s string) string { return "Content-Encoding: gzip\r\n" + s }), true, runs + 1},
		{"bytes between", frame(0, func(f *rangetest.Frame) { f.Between = "x" + f.Between }), true, runs + 1},
		{"short part", frame(0, func(f *rangetest.Frame) { f.Parts[1].To-- }), true, runs + 2},
		{"epilogue", frame(0, func(f *rangetest.Frame) { f.End += "Good bye.\r\n" }), false, 2},
		{"no end", frame(0, func(f *rangetest.Frame) { f.End = "" }), false, 2},
		{"chunked", rangetest.Rule{Several: 2, Fault: rangetest.LongBody}, false, 2},
		{"endless", rangetest.Rule{Several: 2, Fault: rangetest.Endless}, false, 2},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			f := runsFixture(t)
			tc.rule.Path = "/d/t.dat"
			f.srv.Add(tc.rule)
			s := f.source()
			runs := everyOther(runs)
			_, err := f.fetchRuns(shortly(t, 20*time.Second), s, runs)
			if tc.most == 0 {
				wantSourceError(t, err, "")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := f.ranges(); len(got) > tc.most {
				t.Errorf("%d requests, of %v ranges; %d at most", len(got), got, tc.most)
			}
			most, _ := f.c.host(f.url).rangesAtOnce()
			if (most == 1) != tc.single {
				t.Errorf("the host gets %d ranges at once", most)
			}
			if len(f.warned) != 0 {
				t.Errorf("warned of %v", f.warned)
			}
			f.srv.ResetLog()
			if _, err := f.fetchRuns(shortly(t, 20*time.Second), s, runs); err != nil {
				t.Fatal(err)
			}
			if got := f.ranges(); tc.single && len(got) != len(runs) {
				t.Errorf("the second time %d requests, of %v ranges", len(got), got)
			}
		})
	}
}

func contentRangeOf(p rangetest.Part) string {
	_, rest, _ := strings.Cut(p.Header, "Content-Range: ")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

// joinParts makes one part of all.
func joinParts(f *rangetest.Frame) {
	_, total, _ := strings.Cut(contentRangeOf(f.Parts[0]), "/")
	p := rangetest.Part{From: f.Parts[0].From, To: f.Parts[len(f.Parts)-1].To}
	p.Header = fmt.Sprintf("Content-Range: bytes %d-%d/%s\r\n\r\n", p.From, p.To-1, total)
	f.Parts = []rangetest.Part{p}
}
