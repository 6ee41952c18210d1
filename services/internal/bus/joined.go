package bus

import (
	"sync"
	"time"
)

// joined remembers when links came, and as whom, which the server does not. The
// zero value is ready. It is safe for concurrent use.
type joined struct {
	mu    sync.Mutex
	by    map[uint64]arrival // by the link's connection; some of them are gone
	sweep int                // how many there may be before those that are gone are forgotten
}

type arrival struct {
	user, name string // name: of the agent or region; both empty: it came without credentials
	at         time.Time
}

// settled is when a link that came is surely among those that are there.
const settled = time.Minute

// add notes a link. It tells whether it is time to forget those that are gone.
func (j *joined) add(id uint64, user, name string, now time.Time) (full bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.by == nil {
		j.by = map[uint64]arrival{}
	}
	j.by[id] = arrival{user, name, now}
	return len(j.by) > max(j.sweep, 64)
}

// get is when a link came.
func (j *joined) get(id uint64) arrival {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.by[id]
}

// of are the links of a user; some of them may be gone.
func (j *joined) of(user string) (ids []uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for id, a := range j.by {
		if a.user == user {
			ids = append(ids, id)
		}
	}
	return ids
}

// keep forgets the links that are not among those that are there.
func (j *joined) keep(there map[uint64]bool, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for id, a := range j.by {
		if !there[id] && now.Sub(a.at) > settled {
			delete(j.by, id)
		}
	}
	j.sweep = 2 * len(j.by)
}
