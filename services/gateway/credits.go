package gateway

import (
	"cmp"
	"math"
	"slices"
)

// Bounds of a grant, in bytes. The least is what a newcomer gets at once, so that
// the first of what it has comes within a moment; the most is the largest message.
const (
	leastGrant = 8 << 10
	mostGrant  = 1 << 20
)

// claimFor is how long a producer that says nothing more keeps its share, in ns.
const claimFor = 5 * wholeSecond

// trickle is the part of the budget that is given while the fold is behind.
const trickle = 16

// credits deals a budget of backfill, in bytes per second, to the producers that
// have some: max-min fair, so that whoever can use less than an equal share gets
// what it can use, and the others share the rest.
//
// What is granted in any t seconds is at most (t + 1) × budget. The zero value
// has no budget. Times are ns of a clock that never goes back.
type credits struct {
	budget float64 // bytes per second
	tokens float64 // granted to nobody yet, at most those of one second
	at     int64   // time of tokens

	claims map[string]*claim
	level  float64 // the share, in bytes per second, of whoever can use that much
	low    float64 // the same while the fold is behind
	dealt  int64   // time of level and low
}

// claim is a producer with backfill.
type claim struct {
	at       int64   // time of its last report
	backfill int64   // bytes that it has still to bring, as it reported
	usable   float64 // bytes per second that it has shown it can bring, and as much again
	saved    float64 // of its share, not granted yet
	granted  int64   // at its last report
	least    int64   // grants below it have been of no use
}

// setBudget changes the budget from now on.
func (c *credits) setBudget(now int64, budget float64) {
	if c.claims == nil {
		*c = credits{budget: budget, tokens: budget, at: now, claims: map[string]*claim{}, dealt: never}
	}
	c.refill(now)
	c.budget = budget
}

func (c *credits) refill(now int64) {
	c.tokens = min(c.budget, c.tokens+c.budget*seconds(now-c.at))
	c.at = now
}

func seconds(ns int64) float64 { return float64(ns) / wholeSecond }

// grant is how many bytes of backfill a producer may send that reports how many
// it has. behind says that the fold has more to do than it can just now.
func (c *credits) grant(now int64, who string, backfill int64, behind bool) int64 {
	c.refill(now)
	if backfill <= 0 {
		delete(c.claims, who)
		return 0
	}
	q := c.claims[who]
	if q == nil || q.at < now-claimFor {
		q = &claim{at: now, usable: leastGrant, saved: leastGrant, least: leastGrant}
		c.claims[who] = q
	}
	elapsed := seconds(min(now-q.at, 2*wholeSecond))
	q.learn(backfill, elapsed)
	c.deal(now)
	level := c.level
	if behind {
		level = c.low
	}
	share := min(level, q.usable)
	q.saved = min(q.saved+share*elapsed, 2*max(float64(q.least), share))
	q.at, q.backfill, q.granted = now, backfill, 0
	n := math.Floor(min(float64(backfill), q.saved, c.tokens))
	if n < float64(min(backfill, q.least)) {
		return 0 // it would be too little to be of use: next time
	}
	c.tokens -= n
	q.saved -= n
	q.granted = int64(n)
	return q.granted
}

// learn takes from what has gone since the last report how much is of use.
func (q *claim) learn(backfill int64, elapsed float64) {
	if elapsed == 0 {
		return
	}
	used := max(0, q.backfill-backfill)
	switch {
	case used > 0:
		q.least = leastGrant
	case q.granted > 0: // perhaps its next message is larger than that
		q.least = min(2*q.least, mostGrant)
	}
	q.usable = max(float64(q.least), 2*float64(used)/elapsed)
}

// redeal is how often shares are dealt anew at the most, in ns.
const redeal = wholeSecond / 10

// deal finds the level of shares: the budget is full when everybody gets the less
// of it and what they can use.
func (c *credits) deal(now int64) {
	if now < c.dealt+redeal && c.dealt != never {
		return
	}
	c.dealt = now
	var usable []float64
	for who, q := range c.claims {
		if q.at < now-claimFor {
			delete(c.claims, who)
			continue
		}
		usable = append(usable, q.usable)
	}
	c.level, c.low = fill(c.budget, usable), fill(c.budget/trickle, usable)
}

// fill is the level to which a budget fills vessels of these sizes; the whole
// budget where they hold less.
func fill(budget float64, sizes []float64) float64 {
	slices.SortFunc(sizes, func(a, b float64) int { return cmp.Compare(a, b) })
	rest := budget
	for i, size := range sizes {
		level := rest / float64(len(sizes)-i)
		if size >= level {
			return level
		}
		rest -= size
	}
	return budget
}
