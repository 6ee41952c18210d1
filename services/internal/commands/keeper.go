package commands

import (
	"context"
	"maps"
	"slices"
	"time"
)

// How often the store is told what it can forget, and how often old commands and
// sessions are looked for.
const (
	purgeEvery = time.Second
	sweepEvery = 5 * time.Second
)

// keeper keeps house until ctx ends. The store is called with working.
func (d *Desk) keeper(ctx, working context.Context) {
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	swept := time.Now()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if now := time.Now(); now.Sub(swept) >= sweepEvery {
			swept = now
			d.sweep(now)
		}
		d.purge(working, purgeMost)
	}
}

// sweep ends what is too old.
func (d *Desk) sweep(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.sessions {
		if s.link == nil && now.Sub(s.away) >= s.keep {
			d.end(s)
		}
	}
	for _, b := range d.boxes {
		for _, l := range slices.Clone(b.letters) {
			d.judgeAge(l, now)
		}
	}
}

// judgeAge drops a letter that has expired, unless its device has it and may
// confirm it any moment, and one that nobody will ask for any more.
func (d *Desk) judgeAge(l *letter, now time.Time) {
	switch {
	case now.After(l.until) && !l.flying():
		d.expire(l)
	case len(l.owners) == 0 && !d.named(l.box.device):
		d.discard(l, NoSession)
	}
}

// Recheck ends subscriptions of sessions that are away and whose user may not have
// them any more.
func (d *Desk) Recheck(may func(user string, dev Device) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.sessions {
		if s.link != nil {
			continue // its connection is the caller's to close
		}
		for b := range maps.Clone(s.boxes) {
			if !may(s.user, b.device) {
				d.unsubscribe(s, b)
			}
		}
		if len(s.boxes) == 0 {
			d.end(s)
		}
	}
}

// chore is something that the store can forget.
type chore struct {
	box   *box // of a device, or
	key   string
	below uint64
}

// purgeMost is how many chores there are in a second. Each takes the store some
// tenths of a millisecond, and there are better uses of a small processor; what
// is not done when the process is killed comes to its device again.
const purgeMost = 500

// purgeFails is how many chores may fail before the others are put off.
const purgeFails = 3

// purge tells the store what it can forget, most things at most. What fails is
// tried again with the next purge.
func (d *Desk) purge(ctx context.Context, most int) {
	failed := 0
	var first error
	for _, c := range d.chores(most) {
		err := d.do(ctx, c)
		if err == nil {
			continue
		}
		if failed++; first == nil {
			first = err
		}
		if failed == purgeFails {
			break // the store is not well: the others would wait for it too
		}
	}
	if failed > 0 {
		d.log.Warn("the store keeps what is done: trying again", "err", first)
	}
}

// chores are those that there are now.
func (d *Desk) chores(most int) (all []chore) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for b := range d.dirty {
		if len(all) < most {
			all = append(all, chore{box: b, below: b.below()})
		}
	}
	for key, below := range d.forget {
		if len(all) < most {
			all = append(all, chore{key: key, below: below})
		}
	}
	return all
}

func (d *Desk) do(ctx context.Context, c chore) error {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	if c.box == nil {
		err := d.store.Forget(ctx, c.key, c.below)
		if err == nil {
			d.forgotten(c)
		}
		return err
	}
	err := d.store.Drop(ctx, c.box.device, c.below)
	if err == nil {
		d.purged(c)
	}
	return err
}

func (d *Desk) forgotten(c chore) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.forget[c.key] <= c.below {
		delete(d.forget, c.key)
	}
}

func (d *Desk) purged(c chore) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := c.box
	b.dropped = c.below
	if b.below() == b.dropped {
		delete(d.dirty, b)
	}
	if len(b.letters) == 0 && b.dropped > b.last {
		b.last, b.dropped = 0, 0
		d.tidy(b)
	}
}
