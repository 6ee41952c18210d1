package lease

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"weir/schemas"
)

// Member is one process among those that share partitions.
type Member struct {
	Name string `json:"name"` // what its rank goes by; it keeps it over restarts
	ID   string `json:"id"`   // no two processes have the same at one time
	Beat uint64 `json:"beat"` // its sign of life: another one with each write of its own
	// Declines are partitions that it cannot serve for now: others take them.
	Declines []int `json:"declines,omitempty"`
}

// sheet is the value of the key that the members share. It does not change once it
// is part of a Table or a Write.
type sheet struct {
	Members []Member `json:"members"` // that live, as far as whoever wrote last knows
	Owners  []string `json:"owners"`  // by partition: the ID of a member; empty: nobody
}

// Times of a table.
type Times struct {
	Renew time.Duration // between two signs of life
	Stale time.Duration // without one, as observed, after which leases may be taken
}

// DefaultTimes are those of production: a member that has died is replaced within
// nine seconds, and one that waits for a slow disk for five still counts as alive.
func DefaultTimes() Times { return Times{Renew: 2 * time.Second, Stale: 7 * time.Second} }

// believe is how long after a sign of life was begun the leases that were written
// with it are relied on. It ends before anybody else can find them stale.
func (t Times) believe() time.Duration { return t.Stale - t.Renew }

// Write is a write of the key that the table asks for, by compare-and-set.
type Write struct {
	Data  []byte
	After uint64 // the revision that is there; 0: none

	sheet sheet
}

// Outcome of a write.
type Outcome int

// The outcomes. What is unknown shows when the key is read the next time.
const (
	Done Outcome = iota
	Refused
	Unknown
)

// Table is the pure core of one member. All times are ns of its own monotonic
// clock. Not safe for concurrent use.
type Table struct {
	self   Member
	prefix string // of partitions, where they are ranked
	times  Times
	lots   []lot

	sheet     sheet  // as it was seen or written last
	revision  uint64 // of the sheet; 0: there is none
	behind    bool   // a write was refused: the next sheet counts whatever its revision
	sights    map[string]*sight
	confirmed int64 // when the newest write that is known to have succeeded was begun
	attempt   int64 // when the oldest write whose outcome is unknown was begun; never: there is none
	told      []int // the declines that it said
}

// sight is what has been seen of a member, by its ID.
type sight struct {
	beat  uint64
	since int64 // when this beat was first seen
	first int64 // when the member was first seen
}

// alive reports whether a member has shown a sign of life after it was first seen.
func (s *sight) alive() bool { return s.since > s.first }

// lot is what the member has to do with one partition.
type lot struct {
	leaving  bool  // to be given up when its work has ended
	running  bool  // its work has not ended
	declined int64 // until then it is left to others
}

const never = -1 << 63

// NewTable makes the core of a member that has looked at nothing yet. prefix makes
// the ranks in one region differ from those in another.
func NewTable(prefix string, partitions int, self Member, times Times) *Table {
	t := &Table{
		prefix: prefix, self: self, times: times, lots: make([]lot, partitions), sights: map[string]*sight{},
		confirmed: never, attempt: never,
	}
	for i := range t.lots {
		t.lots[i].declined = never
	}
	t.sheet.Owners = make([]string, partitions)
	return t
}

// See takes the key as it has just been read; revision 0: it is not there. What
// is older than what is known is no news, unless a write shows that it is: the
// bucket may be a new one.
func (t *Table) See(now int64, data []byte, revision uint64) {
	if revision == t.revision && revision > 0 || revision > 0 && revision < t.revision && !t.behind {
		return
	}
	t.behind = false
	var s sheet
	if revision > 0 {
		_ = json.Unmarshal(data, &s) // what nobody can read says nothing of anybody
	}
	if len(s.Owners) != len(t.lots) {
		s.Owners = make([]string, len(t.lots))
	}
	if t.attempt != never && beatOf(s, t.self.ID) != beatOf(t.sheet, t.self.ID) {
		// One of the writes has succeeded: the oldest of them at the earliest.
		t.confirmed, t.attempt = t.attempt, never
	}
	t.sheet, t.revision = s, revision
	t.sight(now)
}

func beatOf(s sheet, id string) uint64 {
	for i := range s.Members {
		if s.Members[i].ID == id {
			return s.Members[i].Beat
		}
	}
	return 0
}

// sight notes the signs of life in the sheet, and when an owner that gives none was
// first met.
func (t *Table) sight(now int64) {
	there := map[string]bool{}
	note := func(id string, beat uint64) {
		there[id] = true
		s := t.sights[id]
		if s == nil {
			t.sights[id] = &sight{beat: beat, since: now, first: now}
			return
		}
		if beat != 0 && beat != s.beat {
			s.beat, s.since = beat, now
		}
	}
	for i := range t.sheet.Members {
		note(t.sheet.Members[i].ID, t.sheet.Members[i].Beat)
	}
	for _, id := range t.sheet.Owners {
		note(id, 0)
	}
	for id := range t.sights {
		if !there[id] {
			delete(t.sights, id)
		}
	}
}

// stale reports whether a member has shown no sign of life for so long that its
// leases may be taken.
func (t *Table) stale(now int64, id string) bool {
	s := t.sights[id]
	return s == nil || now-s.since >= int64(t.times.Stale)
}

// Held reports whether a partition is to be served now.
func (t *Table) Held(now int64, partition int) bool { return now < t.Until(partition) }

// Until is when a partition that is held is let go of unless it is renewed;
// before any time where it is not held.
func (t *Table) Until(partition int) int64 {
	if t.confirmed == never || t.sheet.Owners[partition] != t.self.ID || t.lots[partition].leaving {
		return never
	}
	return t.confirmed + int64(t.times.believe())
}

// Owners names who holds each partition; empty: nobody, or a member that has shown
// no sign of life for as long as makes its leases stale.
func (t *Table) Owners(now int64) []string {
	names := make([]string, len(t.lots))
	for p, id := range t.sheet.Owners {
		for i := range t.sheet.Members {
			m := &t.sheet.Members[i]
			if m.ID == id && (m.ID != t.self.ID && !t.stale(now, id) || t.Held(now, p)) {
				names[p] = m.Name
			}
		}
	}
	return names
}

// Twin reports whether another process lives under the name of this member. Both
// then want the same partitions, and whoever comes second gets none.
func (t *Table) Twin(now int64) bool {
	return slices.ContainsFunc(t.sheet.Members, func(m Member) bool {
		return m.Name == t.self.Name && m.ID != t.self.ID && t.sights[m.ID].alive() && !t.stale(now, m.ID)
	})
}

// Started says that the work on a partition has begun.
func (t *Table) Started(partition int) { t.lots[partition].running = true }

// Ended says that the work on a partition has ended. Where it failed by itself,
// the partition is left to others for a while: a short one where there are none.
func (t *Table) Ended(now int64, partition int, failed bool) {
	l := &t.lots[partition]
	l.running = false
	if failed {
		rest := t.times.Stale
		if t.alone(now) {
			rest = t.times.Renew
		}
		l.leaving, l.declined = t.sheet.Owners[partition] == t.self.ID, now+int64(rest)
	}
}

// alone reports whether no other member lives.
func (t *Table) alone(now int64) bool {
	return !slices.ContainsFunc(t.sheet.Members, func(m Member) bool { return m.ID != t.self.ID && !t.stale(now, m.ID) })
}

// Decide is what to write now, after a See; false: nothing.
func (t *Table) Decide(now int64) (Write, bool) {
	next := sheet{Owners: slices.Clone(t.sheet.Owners)}
	t.self.Declines = t.declines(now)
	changed := t.confirmed == never || now-t.confirmed >= int64(t.times.Renew) || !slices.Equal(t.told, t.self.Declines)
	for p := range t.lots {
		next.Owners[p] = t.decide(now, p)
		changed = changed || next.Owners[p] != t.sheet.Owners[p]
	}
	if !changed {
		return Write{}, false
	}
	self := t.self
	self.Beat = t.revision + 1 // whoever was forgotten and comes back must not repeat one: no two writes come after the same revision
	for _, m := range t.sheet.Members {
		if m.ID != self.ID && !t.buried(now, m.ID, next.Owners) {
			next.Members = append(next.Members, m)
		}
	}
	next.Members = append(next.Members, self)
	return t.write(next), true
}

func (t *Table) write(s sheet) Write {
	data, err := json.Marshal(s)
	if err != nil {
		panic("BUG: " + err.Error()) // strings and ints
	}
	return Write{Data: data, After: t.revision, sheet: s}
}

func (t *Table) declines(now int64) (out []int) {
	for p := range t.lots {
		if now < t.lots[p].declined {
			out = append(out, p)
		}
	}
	return out
}

// decide is who is to own a partition from now on. A member gives up what belongs
// to another once its own work on it has ended, and takes what is its own to take:
// what is nobody's, or that of one who is gone.
func (t *Table) decide(now int64, partition int) string {
	l, owner := &t.lots[partition], t.sheet.Owners[partition]
	if owner == t.self.ID {
		l.leaving = l.leaving || t.belongs(now, partition, true) != t.self.ID
		if l.leaving && !l.running {
			return ""
		}
		return owner
	}
	l.leaving = false
	free := owner == "" || t.stale(now, owner)
	if free && !l.running && t.belongs(now, partition, false) == t.self.ID {
		return t.self.ID
	}
	return owner
}

// belongs is the member that a partition belongs to: the highest in rank of those
// that live and do not decline it. proved asks for those only that have been seen
// to live: to them one may hand over.
func (t *Table) belongs(now int64, partition int, proved bool) (id string) {
	key := t.prefix + strconv.Itoa(partition)
	var most uint64
	var name string
	consider := func(m *Member) {
		if slices.Contains(m.Declines, partition) {
			return
		}
		if r := rank(m.Name, key); id == "" || r > most || r == most && m.Name < name {
			id, name, most = m.ID, m.Name, r
		}
	}
	consider(&t.self)
	for i := range t.sheet.Members {
		m := &t.sheet.Members[i]
		if m.ID != t.self.ID && !t.stale(now, m.ID) && (t.sights[m.ID].alive() || !proved) {
			consider(m)
		}
	}
	return id
}

// rank is how much a partition belongs to a member: the same for everybody who
// asks, and independent of other members.
func rank(member, key string) uint64 { return schemas.HashName(member + "\x00" + key) }

// forgetAfter is how many times Stale a dead member is remembered.
const forgetAfter = 6

// buried reports whether a member is long dead and owns nothing any more.
func (t *Table) buried(now int64, id string, owners []string) bool {
	return now-t.sights[id].since >= forgetAfter*int64(t.times.Stale) && !slices.Contains(owners, id)
}

// Result takes what became of a write that was begun at a time.
func (t *Table) Result(w *Write, began int64, o Outcome, revision uint64) {
	switch {
	case o == Done:
		t.sheet, t.revision, t.confirmed, t.attempt, t.told = w.sheet, revision, began, never, t.self.Declines
		t.sight(began)
	case o == Refused:
		t.behind = true
	case t.attempt == never:
		t.attempt = began
	}
}

// Leave is what to write at the end: the member is gone, and gives up what it does
// not work on any more. false: nothing is left of it.
func (t *Table) Leave() (Write, bool) {
	next := sheet{Owners: slices.Clone(t.sheet.Owners)}
	for p, id := range next.Owners {
		if id == t.self.ID && !t.lots[p].running {
			next.Owners[p] = ""
		}
	}
	for _, m := range t.sheet.Members {
		if m.ID != t.self.ID {
			next.Members = append(next.Members, m)
		}
	}
	changed := len(next.Members) < len(t.sheet.Members) || !slices.Equal(next.Owners, t.sheet.Owners)
	return t.write(next), changed
}
