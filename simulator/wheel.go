package simulator

// wheel tells which devices are due. Devices are small numbers; each is in the
// wheel at most once. Adding and taking cost the same however many there are.
// Not safe for concurrent use.
type wheel struct {
	tick int64   // ns per slot
	at   int64   // slots up to here, counted from time 0, are done
	head []int32 // first device of each slot, -1 where there is none
	next []int32 // the device behind each device in its slot
}

const (
	wheelTick  = 4_000_000 // ns
	wheelSlots = 4096
)

func newWheel(devices int) *wheel {
	w := &wheel{tick: wheelTick, at: -1, head: make([]int32, wheelSlots), next: make([]int32, devices)}
	for i := range w.head {
		w.head[i] = -1
	}
	return w
}

// add makes a device due at the given time, at the next slot if that is over. A
// time beyond the wheel's round comes up early: the device is then asked, and
// added, again.
func (w *wheel) add(device int, at int64) {
	slot := at / w.tick
	if at%w.tick > 0 {
		slot++
	}
	slot = min(max(slot, w.at+1), w.at+wheelSlots-1) % wheelSlots
	w.next[device], w.head[slot] = w.head[slot], int32(device)
}

// advance visits every device that is due. A visit may add its device again.
func (w *wheel) advance(now int64, visit func(device int)) {
	for w.at < now/w.tick {
		w.at++
		slot := w.at % wheelSlots
		device := w.head[slot]
		w.head[slot] = -1
		for device >= 0 {
			next := w.next[device]
			visit(int(device))
			device = next
		}
	}
}

// until is when the next slot that holds a device comes up, at most a round away.
func (w *wheel) until() int64 {
	for slot := w.at + 1; slot < w.at+wheelSlots; slot++ {
		if w.head[slot%wheelSlots] >= 0 {
			return slot * w.tick
		}
	}
	return (w.at + wheelSlots - 1) * w.tick
}
