package simulator

import (
	"context"
	"time"
)

// player plays some of a run's devices: it owns their schedule and nothing else.
type player struct {
	devices []*device
	wheel   *wheel
	clock   func() int64 // ns since the start
	length  int64        // of the schedule; 0: until end is closed
	buffers buffers
	left    int // devices that are not settled
}

func newPlayer(devices []*device, clock func() int64, length int64) *player {
	p := &player{devices: devices, wheel: newWheel(len(devices)), clock: clock, length: length, left: len(devices)}
	for i := range devices {
		p.wheel.add(i, 0)
	}
	return p
}

// run plays until each device is settled or ctx ends. When end is closed the
// schedule is over before its time.
func (p *player) run(ctx context.Context, end <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for p.left > 0 {
		select {
		case <-ctx.Done():
			return
		case <-end:
			p.end()
			end = nil
		case <-timer.C:
		}
		now := p.clock()
		if end != nil && p.length > 0 && now >= p.length {
			p.end()
			end = nil
		}
		p.wheel.advance(now, p.visit)
		timer.Reset(time.Duration(p.wheel.until() - p.clock()))
	}
}

// visit lets a device send what is due.
func (p *player) visit(i int) {
	if next := p.devices[i].pump(p.clock(), &p.buffers); next < forever {
		p.wheel.add(i, next)
	} else {
		p.left--
	}
}

// end tells all devices that the schedule is over. Those that wait for a held
// message are due at once: within a round of the wheel they would not notice.
func (p *player) end() {
	now := p.clock()
	for _, d := range p.devices {
		d.end(now)
	}
	p.wheel = newWheel(len(p.devices))
	p.wheel.at = now/wheelTick - 1
	for i := range p.devices {
		p.wheel.add(i, now)
	}
	p.left = len(p.devices)
}
