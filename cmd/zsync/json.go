package main

import (
	"io"

	"github.com/zsyncfs/zsyncfs/cmd/internal/report"
)

// resultLine is the last object of --progress=json. The names are stable.
type resultLine struct {
	// Step is "done".
	Step string `json:"step"`
	// Local and Fetched are bytes of the target.
	Local   int64 `json:"local"`
	Fetched int64 `json:"fetched"`
	// UpToDate: the file was the target already.
	UpToDate bool `json:"up_to_date"`
	// Verified is false when the control file has no digest of the whole.
	Verified bool `json:"verified"`
	// Old is where the file is that was there before.
	Old string `json:"old,omitempty"`
}

// planLine is the last object of --dry-run --progress=json.
type planLine struct {
	// Step is "planned".
	Step string `json:"step"`
	// Local and Missing are bytes of the target, Runs the number of missing runs.
	Local    int64 `json:"local"`
	Missing  int64 `json:"missing"`
	Runs     int64 `json:"runs"`
	UpToDate bool  `json:"up_to_date"`
}

func printJSON(w io.Writer, v any) {
	_ = report.PrintJSONLine(w, v) // plain values always encode
}
