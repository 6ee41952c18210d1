package fold

import "weir/schemas"

// Standing are the ends of windows by their WindowName.
type Standing map[string]int64

// Renewer is a core whose results can go on in another epoch.
type Renewer interface {
	Core

	// Renew ends what the core has put out so far. The results are what is open and was
	// never put out, or has changed since: each window as the last revision of its part,
	// of one that begins where FirstN is 0. Afterwards no window is open, so what comes
	// is in parts of its own, and totals begin at 0; those of the results are what they
	// had come to. Only what is known to be lost is told on: it is what the state knows,
	// through all epochs that it has gone through.
	Renew(c Cut) *Results

	// Written tells when a message was written, in the agent's time, and whether it is the
	// first that its writer wrote since it started.
	Written(m Message) (at int64, resumed bool)
}

// Cut says what stands and what is missing where an epoch ends.
type Cut struct {
	// Stand are windows of which a revision has been put out that was made from this state
	// and input that is lost. They are not put out again, and what comes for them may
	// be in that revision.
	Stand Standing
	// Rewound: the input has lost messages that the state includes, and what comes next may
	// use their numbers again.
	Rewound bool
	// Anew: the state is not the one that made what the epoch has put out, but what could be
	// read again of the input. What it says is lost has been told by others, or is not known.
	Anew bool
}

// lost are the totals that a state which goes on tells on: see Renewer.
func lost(rows []schemas.Total) (out []schemas.Total) {
	for _, t := range rows {
		if t.Outcome == schemas.LostDeclared {
			out = append(out, t)
		}
	}
	return out
}
