package doctor

import "fmt"

// Verdict says how a finding is to be taken.
type Verdict string

// The verdicts.
const (
	OK   Verdict = "ok"
	Note Verdict = "note"
	Bad  Verdict = "bad"
)

// What findings are about.
const (
	AboutServer  = "server"
	AboutControl = "control file"
	AboutTarget  = "target"
	AboutMachine = "machine"
	AboutCache   = "cache"
)

// Finding is one thing that was looked at. Its JSON keys are stable.
type Finding struct {
	About   string  `json:"about"`
	Verdict Verdict `json:"verdict"`
	Text    string  `json:"text"`
	Remedy  string  `json:"remedy,omitempty"`
	Err     error   `json:"-"` // of a finding that is bad, for its exit code
}

// Report are findings, in the order in which they were made.
type Report struct{ Findings []Finding }

func (r *Report) ok(about, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{About: about, Verdict: OK, Text: fmt.Sprintf(format, args...)})
}

func (r *Report) note(about, remedy, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{About: about, Verdict: Note, Text: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (r *Report) bad(about, remedy, format string, args ...any) {
	err := fmt.Errorf(format, args...)
	r.Findings = append(r.Findings, Finding{About: about, Verdict: Bad, Text: err.Error(), Remedy: remedy, Err: err})
}

// Worst is the first finding that is bad; nil when none is.
func (r *Report) Worst() *Finding {
	for i := range r.Findings {
		if r.Findings[i].Verdict == Bad {
			return &r.Findings[i]
		}
	}
	return nil
}
