package fold

// Standing are the ends of windows by their WindowName.
type Standing map[string]int64

// Renewer is a core whose results can go on in another epoch.
type Renewer interface {
	Core

	// Renew ends what the core has put out so far. The results are what is open and was
	// never put out, or has changed since: each window as the last revision of its part,
	// of one that begins where FirstN is 0. Afterwards no window is open, so what comes
	// is in parts of its own, and totals begin at 0; those of the results are what they
	// had come to.
	//
	// Of the windows that stand a revision has been put out that was made from this state
	// and input that is lost. They are not put out again, and what comes for them may
	// be in that revision. rewound says that the input has lost messages that the state
	// includes: what comes next may use their numbers again.
	Renew(stand Standing, rewound bool) *Results

	// Written tells when a message was written, in the agent's time, and whether it is the
	// first that its writer wrote since it started.
	Written(m Message) (at int64, resumed bool)
}
