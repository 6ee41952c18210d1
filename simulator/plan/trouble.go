package plan

// Trouble is what devices do that a watcher should notice: every fifth device, one
// after the other, in turns of four minutes. It changes values and when messages are
// sent, never how many there are. These devices send nothing late.
//
//	silent   nothing is sent for 40 s, then everything in order
//	flat     the value does not move for 90 s
//	step     the value lies 20 higher for 30 s
//	spike    the value lies 60 higher for 1 s
type trouble uint8

const (
	fine trouble = iota
	silent
	flat
	step
	spike
)

// episode is when in a turn a kind of trouble happens, ns.
type episode struct {
	trouble
	from, to int64
}

const (
	troubleTurn  = 240 * s
	troubleShare = 5 // of so many devices one is in trouble
)

var episodes = [...]episode{{silent, 15 * s, 55 * s}, {flat, 75 * s, 165 * s}, {step, 175 * s, 205 * s}, {spike, 220 * s, 221 * s}}

// inTrouble reports whether device d is one that misbehaves now and then.
func (p *Plan) inTrouble(d int) bool { return p.Trouble && d%troubleShare == 0 }

// trouble is what device d is in at a time of the schedule, ns, and when that
// began and ends.
func (p *Plan) trouble(d int, at int64) (what trouble, from, to int64) {
	if !p.inTrouble(d) || at < 0 {
		return fine, 0, 0
	}
	turn, in := at/troubleTurn, at%troubleTurn
	group := (int64(d/troubleShare) + turn) % int64(len(episodes))
	e := episodes[group]
	if in < e.from || in >= e.to {
		return fine, 0, 0
	}
	return e.trouble, at - in + e.from, at - in + e.to
}

// troubled is a value in Units as trouble leaves it at a time of the schedule, of a
// device that hangs at base when its value does not move.
func (p *Plan) troubled(d int, at, usual, base int64) int64 {
	switch what, _, _ := p.trouble(d, at); what {
	case flat:
		return base
	case step:
		return usual + 20*unitsPerOne
	case spike:
		return usual + 60*unitsPerOne
	}
	return usual
}

// silence is how long a message that is due at a time of the schedule is held back, ns.
func (p *Plan) silence(d int, at int64) int64 {
	if what, _, to := p.trouble(d, at); what == silent {
		return to - at
	}
	return 0
}
