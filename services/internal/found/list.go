package found

import (
	"slices"

	"weir/schemas"
	"weir/services/internal/fold"
)

// Keep appends a finding to a list of most at most, from whose beginning the oldest goes.
func Keep(list []schemas.Finding, o *schemas.Finding, most int) []schemas.Finding {
	if len(list) >= most {
		list = slices.Delete(list, 0, len(list)-most+1)
	}
	return append(list, *o)
}

// Append appends a list to a state, in the form of a commit.
func Append(b []byte, list []schemas.Finding) []byte {
	c := schemas.Commit{N: 1, RunFirst: 1, Findings: list}
	return fold.AppendSized(b, func(b []byte) []byte { return new(schemas.CommitEncoder).Append(b, &c) })
}

// Read takes back what Append wrote.
func Read(r *fold.StateReader) []schemas.Finding {
	c, err := new(schemas.CommitDecoder).Decode(r.Bytes(), schemas.WithFindings)
	if err != nil {
		r.Fail(err)
		return nil
	}
	return c.Findings
}
