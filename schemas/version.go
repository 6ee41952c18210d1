package schemas

import "fmt"

// Format versions. A reader accepts its own version and older ones that it
// lists; anything newer is a NewerVersionError. The dated history is part of
// the contract: add a line with each change of bytes.
const (
	// FrameVersion history:
	//   1: 2026-11-21 msgpack head, columns by id behind it, values scaled by metric.
	//   2: 2026-11-22 columns of what OTLP brings; a frame without them is still written as 1.
	//   3: 2026-11-22 log records that are passed through; a frame without any is still written as 1 or 2.
	FrameVersion = 3
	// CommitVersion history:
	//   1: 2026-11-21 msgpack head, rows of windows and early values behind it.
	//   2: 2026-11-22 findings behind them; in the head the policy in force, whether ingest has resumed, epochs that have
	//      ended, numbers that it stands for and what was shed; wider windows.
	//   3: 2026-11-22 exemplars of windows name a trace and a span; an entry without any is still written as 2.
	//   4: 2026-11-22 log records that are passed through; an entry without any is still written as 2 or 3.
	//   5: 2026-11-22 epochs below that a gateway has come to know, and between which times its windows lack nothing of their
	//      producers; an entry without either is still written as 2, 3 or 4.
	CommitVersion = 5
	// CheckpointVersion history:
	//   1: 2026-11-21 msgpack head and an opaque payload per part.
	CheckpointVersion = 1
	// DataVersion is the layout of a data folder (streams, subjects, settings):
	//   1: 2026-11-21 first layout.
	DataVersion = 1
)

// NewerVersionError says that bytes were written by a newer Weir than this one.
type NewerVersionError struct {
	Format    string // frame, commit, checkpoint, tick, data folder
	Got, Want int
}

func (e *NewerVersionError) Error() string {
	return fmt.Sprintf("decode %s: version %d is newer than %d, the newest this program knows: upgrade weir", e.Format, e.Got, e.Want)
}

// checkVersion classes the version byte of a format.
func checkVersion(format string, got, want int) error {
	switch {
	case got > want:
		return &NewerVersionError{Format: format, Got: got, Want: want}
	case got < 1:
		return fmt.Errorf("decode %s: version %d does not exist", format, got)
	}
	return nil
}
