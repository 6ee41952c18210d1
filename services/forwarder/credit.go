package forwarder

// credit is how much backfill of one producer the tier above lets come.
type credit struct {
	left  int64 // bytes; below 0: more was sent than was granted, see allows
	whole bool  // nothing of the newest grant is used yet
	until int64 // ns: it lapses
}

// usualWithin is how long a grant counts that does not say, ns.
const usualWithin = 2_000_000_000

// grant replaces what is left by bytes. What was sent too much is taken off.
func (c *credit) grant(now, bytes, within int64) {
	if within <= 0 {
		within = usualWithin
	}
	*c = credit{left: min(c.left, 0) + max(bytes, 0), whole: true, until: now + within}
}

// allows reports whether n bytes may be sent. A message that is larger than a
// whole grant may, alone, or it would wait for ever: later grants pay for it.
func (c *credit) allows(now, n int64) bool {
	return now < c.until && c.left > 0 && (n <= c.left || c.whole)
}

func (c *credit) spend(n int64) { c.left, c.whole = c.left-n, false }
