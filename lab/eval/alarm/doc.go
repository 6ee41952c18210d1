// Package alarm judges flags as people feel them: by findings, not by rows.
//
// In: flags in the order of their rows, labeled windows, counts. Out: how many findings opened, which events were
// found and how late, and what a count allows to conclude about the rate behind it.
//
// Limits: a finding is the opening edge of a flag. That it may close and open again for one cause is counted
// against the detector.
package alarm
