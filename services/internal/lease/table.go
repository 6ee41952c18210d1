package lease

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/schemas"
)

// Member is one process among those that share partitions.
type Member struct {
	Name string `json:"name"` // what its rank goes by; it keeps it over restarts
	ID   string `json:"id"`   // another one at each start
	// Declines are partitions that it cannot serve for now: others take them.
	Declines []int `json:"declines,omitempty"`
}

// Times of a table.
type Times struct {
	Renew time.Duration // between two renewals
	Stale time.Duration // without a change, as observed, after which a lease may be taken
}

// DefaultTimes are those of production.
func DefaultTimes() Times { return Times{Renew: 3 * time.Second, Stale: 10 * time.Second} }

// believe is how long after a renewal was begun its lease is relied on. It ends
// before anybody else can find the lease stale.
func (t Times) believe() time.Duration { return t.Stale - t.Renew }

// Value is a revision of a key.
type Value struct {
	Data     []byte
	Revision uint64
}

// Op is what a call does to a key.
type Op int

// The ops. All but Put are compare-and-set: After is the revision that is there,
// 0 for none.
const (
	Put Op = iota
	Update
	Delete
)

// Call is a write to the bucket that the table asks for.
type Call struct {
	Op    Op
	Key   string
	Data  []byte
	After uint64
}

// Outcome of a call.
type Outcome int

// The outcomes. What is unknown shows when the keys are read the next time.
const (
	Done Outcome = iota
	Refused
	Unknown
)

// Table is the pure core of one member. All times are ns of its own monotonic
// clock. Not safe for concurrent use.
type Table struct {
	self   Member
	prefix string // of all keys
	times  Times
	lots   []lot
	seen   map[string]*sight // by key
	beat   int64             // when the sign of life was written last
	told   []int             // the declines that it said
}

// sight is what has been seen of a key.
type sight struct {
	member   Member
	revision uint64
	since    int64 // when this revision was first seen
	first    int64 // when the key was first seen
}

// alive reports whether a member has shown signs of life after it was first seen.
func (s *sight) alive() bool { return s.since > s.first }

// lot is what the member has to do with one partition.
type lot struct {
	revision  uint64 // of the lease, when it was ours last or we tried to take it
	held      bool   // the lease is ours, as far as we know
	confirmed int64  // when the newest renewal that is known to have succeeded was begun; while held
	attempt   int64  // when the oldest write whose outcome is unknown was begun; never: there is none
	leaving   bool   // to be given up when its work has ended
	running   bool   // its work has not ended
	declined  int64  // until then it is left to others
}

const never = -1 << 63

// NewTable makes the core of a member that has looked at nothing yet. prefix
// tells the keys of its region from others in the bucket.
func NewTable(prefix string, partitions int, self Member, times Times) *Table {
	t := &Table{prefix: prefix, self: self, times: times, lots: make([]lot, partitions), seen: map[string]*sight{}, beat: never}
	for i := range t.lots {
		t.lots[i].attempt, t.lots[i].declined = never, never
	}
	return t
}

// key is the lease of a partition.
func (t *Table) key(partition int) string { return t.prefix + strconv.Itoa(partition) }

// memberKey is a member's sign of life.
func (t *Table) memberKey(name string) string { return t.prefix + memberPrefix + name }

const memberPrefix = "member."

// See takes the keys as they have just been read.
func (t *Table) See(now int64, keys map[string]Value) {
	for key := range t.seen {
		if _, ok := keys[key]; !ok {
			delete(t.seen, key)
		}
	}
	for key, v := range keys {
		if !strings.HasPrefix(key, t.prefix) {
			continue
		}
		s := t.seen[key]
		if s == nil {
			s = &sight{since: now, first: now}
			t.seen[key] = s
		}
		if v.Revision != s.revision {
			if s.revision > 0 {
				s.since = now
			}
			s.revision, s.member = v.Revision, Member{}
			_ = json.Unmarshal(v.Data, &s.member) // what nobody can read belongs to nobody, and becomes stale
		}
	}
	for p := range t.lots {
		t.compare(p)
	}
}

// compare finds out what became of writes whose outcome was unknown, and whether
// somebody else has taken the lease.
func (t *Table) compare(partition int) {
	l, s := &t.lots[partition], t.seen[t.key(partition)]
	switch {
	case s == nil || s.revision <= l.revision:
		// Where it was deleted the next renewal will tell.
	case s.member.ID != t.self.ID:
		l.held, l.attempt = false, never
	case l.attempt != never: // it was taken or renewed by the oldest of them at the earliest
		l.held, l.confirmed, l.revision, l.attempt = true, l.attempt, s.revision, never
	}
}

// Held reports whether a partition is to be served now.
func (t *Table) Held(now int64, partition int) bool {
	l := &t.lots[partition]
	return l.held && !l.leaving && now-l.confirmed < int64(t.times.believe())
}

// Started says that the work on a partition has begun.
func (t *Table) Started(partition int) { t.lots[partition].running = true }

// Ended says that the work on a partition has ended. Where it failed by itself,
// the partition is left to others for a while.
func (t *Table) Ended(now int64, partition int, failed bool) {
	l := &t.lots[partition]
	l.running = false
	if failed {
		l.leaving, l.declined = l.held, now+int64(t.times.Stale)
	}
}

// Decide is what to write now, after a See.
func (t *Table) Decide(now int64) (calls []Call) {
	t.self.Declines = t.declines(now)
	if t.beat == never || now-t.beat >= int64(t.times.Renew) || !slices.Equal(t.told, t.self.Declines) {
		calls = append(calls, Call{Op: Put, Key: t.memberKey(t.self.Name), Data: t.data()})
	}
	for p := range t.lots {
		if c, ok := t.decide(now, p); ok {
			calls = append(calls, c)
		}
	}
	return append(calls, t.bury(now)...)
}

// data is the value of every key that it writes.
func (t *Table) data() []byte {
	b, err := json.Marshal(t.self)
	if err != nil {
		panic("BUG: " + err.Error()) // strings and ints
	}
	return b
}

func (t *Table) declines(now int64) (out []int) {
	for p := range t.lots {
		if now < t.lots[p].declined {
			out = append(out, p)
		}
	}
	return out
}

// decide is what to write about one partition.
func (t *Table) decide(now int64, partition int) (Call, bool) {
	l, key := &t.lots[partition], t.key(partition)
	if l.held && now-l.confirmed >= int64(t.times.believe()) {
		l.held = false
	}
	if !l.held {
		l.leaving = false
		return t.take(now, partition)
	}
	l.leaving = l.leaving || t.owner(now, partition, true) != t.self.Name
	switch {
	case l.leaving && !l.running:
		return Call{Op: Delete, Key: key, After: l.revision}, true
	case now-l.confirmed >= int64(t.times.Renew):
		return Call{Op: Update, Key: key, Data: t.data(), After: l.revision}, true
	}
	return Call{}, false
}

// take takes a partition that is nobody's, or whose owner is gone, if it is this
// member's to take. Its own work on it must have ended.
func (t *Table) take(now int64, partition int) (Call, bool) {
	l, s := &t.lots[partition], t.seen[t.key(partition)]
	if l.running || t.owner(now, partition, false) != t.self.Name {
		return Call{}, false
	}
	c := Call{Op: Update, Key: t.key(partition), Data: t.data()}
	if s != nil {
		c.After = s.revision
	}
	return c, s == nil || s.member.ID == t.self.ID || now-s.since >= int64(t.times.Stale)
}

// owner is the member that a partition belongs to: the highest in rank of those
// that live and do not decline it. proved asks for those only that have been seen
// to live: to them one may hand over.
func (t *Table) owner(now int64, partition int, proved bool) (name string) {
	var most uint64
	consider := func(m *Member) {
		if slices.Contains(m.Declines, partition) {
			return
		}
		if r := rank(m.Name, t.key(partition)); name == "" || r > most || r == most && m.Name < name {
			name, most = m.Name, r
		}
	}
	consider(&t.self)
	for _, s := range t.seen {
		if s.member.Name != t.self.Name && t.lives(now, s) && (s.alive() || !proved) {
			consider(&s.member)
		}
	}
	return name
}

// lives reports whether a key is the sign of life of a member that has shown one
// lately.
func (t *Table) lives(now int64, s *sight) bool {
	return t.seen[t.memberKey(s.member.Name)] == s && now-s.since < int64(t.times.Stale)
}

// rank is how much a partition belongs to a member: the same for everybody who
// asks, and independent of other members.
func rank(member, key string) uint64 { return schemas.HashName(member + "\x00" + key) }

// forgetAfter is how many times Stale a dead member's sign of life is kept.
const forgetAfter = 6

// bury deletes the signs of life of members that are long dead.
func (t *Table) bury(now int64) (calls []Call) {
	for key, s := range t.seen {
		if strings.HasPrefix(key, t.prefix+memberPrefix) && now-s.since >= forgetAfter*int64(t.times.Stale) {
			calls = append(calls, Call{Op: Delete, Key: key, After: s.revision})
		}
	}
	return calls
}

// Result takes what became of a call that was begun at a time.
func (t *Table) Result(c *Call, began int64, o Outcome, revision uint64) {
	if c.Op == Put {
		if o == Done {
			t.beat, t.told = began, t.self.Declines
			t.seen[c.Key] = &sight{member: t.self, revision: revision, since: began, first: began}
		}
		return
	}
	if c.Op == Delete && o != Unknown {
		delete(t.seen, c.Key)
	}
	partition, err := strconv.Atoi(strings.TrimPrefix(c.Key, t.prefix))
	if err != nil {
		return // a member's
	}
	l := &t.lots[partition]
	switch {
	case c.Op == Delete && o == Unknown:
	case c.Op == Delete:
		l.held, l.leaving = false, false
	case o == Done:
		l.held, l.confirmed, l.revision, l.attempt = true, began, revision, never
	case o == Unknown && l.attempt == never:
		l.attempt, l.revision = began, c.After
	case o == Refused && l.attempt == never: // else an earlier one may have succeeded: the next See tells
		l.held = false
	}
}

// Leave is what to write at the end: it gives up what it holds and does not work
// on any more.
func (t *Table) Leave() (calls []Call) {
	for p := range t.lots {
		if l := &t.lots[p]; l.held && !l.running {
			calls = append(calls, Call{Op: Delete, Key: t.key(p), After: l.revision})
		}
	}
	if s := t.seen[t.memberKey(t.self.Name)]; s != nil && s.member.ID == t.self.ID {
		calls = append(calls, Call{Op: Delete, Key: t.memberKey(t.self.Name), After: s.revision})
	}
	return calls
}
