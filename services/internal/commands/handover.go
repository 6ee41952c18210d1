package commands

import "context"

// handOver gives what waits for a device to a connected session that takes it at
// QoS 0. The store drops it first: after a kill it must not come a second time.
func (d *Desk) handOver(ctx context.Context, dev Device) {
	d.mu.Lock()
	waiting := d.boxes[dev].waiting()
	d.mu.Unlock()
	if len(waiting) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	below := waiting[len(waiting)-1].seq + 1
	if err := d.store.Drop(ctx, dev, below); err != nil {
		d.log.Warn("commands wait on: the store cannot drop them", "tenant", dev.Tenant, "device", dev.Name, "err", err)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range waiting {
		d.handOne(l)
	}
}

// waiting is what a connected session could take at QoS 0: the stored letters that
// are nobody's, as far as none is somebody's before them.
func (b *box) waiting() (all []*letter) {
	if b == nil || b.atOnce() == nil {
		return nil
	}
	for _, l := range b.letters {
		switch {
		case l.seq == 0:
		case len(l.owners) > 0:
			return all
		default:
			all = append(all, l)
		}
	}
	return all
}

// atOnce is a connected session that subscribes at QoS 0; nil: there is none.
func (b *box) atOnce() *session {
	for s, qos := range b.sessions {
		if s.link != nil && qos == 0 {
			return s
		}
	}
	return nil
}

// handOne gives a letter that the store has dropped. d.mu is held.
func (d *Desk) handOne(l *letter) {
	l.seq = 0
	if l.done || len(l.owners) > 0 {
		return // it is somebody's at QoS 1 by now
	}
	if s := l.box.atOnce(); s != nil {
		d.give(l, s, 0)
		return
	}
	d.discard(l, Unwritten)
}
