package lease

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const (
	second     = int64(time.Second)
	partitions = 5
	prefix     = "r01."
)

// bucket is a model of the key in a KV bucket.
type bucket struct {
	data     []byte
	revision uint64
}

func (b *bucket) do(w *Write) (Outcome, uint64) {
	if b.revision != w.After {
		return Refused, 0
	}
	b.data, b.revision = w.Data, b.revision+1
	return Done, b.revision
}

// process is a member with a clock of its own.
type process struct {
	*Table
	name    string
	offset  int64
	drift   float64
	todo    *Write
	decided int64 // when todo was, by its clock
	running map[int]bool
	stopped bool // by a signal
}

// world is some members over one bucket.
type world struct {
	t       *rapid.T
	bucket  *bucket
	now     int64
	members []*process
	born    int
}

// clock is a member's monotonic clock.
func (w *world) clock(p *process) int64 { return p.offset + int64(float64(w.now)*p.drift) }

func (w *world) join(name string) {
	w.born++
	w.members = append(w.members, &process{
		Table: NewTable(prefix, partitions, Member{Name: name, ID: fmt.Sprint(name, w.born)}, DefaultTimes()), name: name,
		offset: rapid.Int64Range(-100*second, 100*second).Draw(w.t, "offset"), drift: rapid.Float64Range(0.98, 1.02).Draw(w.t, "drift"),
		running: map[int]bool{},
	})
}

// look lets a member read the keys and decide.
func (w *world) look(p *process) {
	now := w.clock(p)
	p.See(now, w.bucket.data, w.bucket.revision)
	p.todo = nil
	if c, ok := p.Decide(now); ok {
		p.todo, p.decided = &c, now
	}
	w.work(p)
}

// write lets a member do the write that it has decided.
func (w *world) write(p *process, f fault) {
	c := p.todo
	if c == nil {
		return
	}
	p.todo = nil
	began := w.clock(p)
	if f == slow {
		began = p.decided
	}
	outcome, revision := Unknown, uint64(0)
	if f != lost {
		outcome, revision = w.bucket.do(c)
	}
	if f == answerLost {
		outcome, revision = Unknown, 0
	}
	p.Result(c, began, outcome, revision)
	w.work(p)
}

// work starts and ends what a member does by its leases.
func (w *world) work(p *process) {
	for i := range partitions {
		switch held := p.Held(w.clock(p), i); {
		case held && !p.running[i]:
			p.Started(i)
			p.running[i] = true
		case !held && p.running[i]:
			p.Ended(w.clock(p), i, false)
			delete(p.running, i)
		}
	}
}

// fault is what happens to a call.
type fault int

const (
	none       fault = iota
	lost             // it does not arrive
	answerLost       // it is done, and nobody tells
	slow             // it takes as long as there is since the one before
)

// owners are the members that take a partition for theirs at this moment, those
// that a signal has stopped too.
func (w *world) owners(partition int) (names []string) {
	for _, p := range w.members {
		if p.Held(w.clock(p), partition) {
			names = append(names, p.name)
		}
	}
	return names
}

func (w *world) wantNoTwoOwners() {
	for i := range partitions {
		if names := w.owners(i); len(names) > 1 {
			w.t.Fatalf("partition %d belongs to %v at once", i, names)
		}
	}
}

// quiet lets so many seconds pass in which nothing goes wrong.
func (w *world) quiet(seconds int) {
	for range seconds {
		w.now += second
		for _, p := range w.members {
			w.look(p)
			w.write(p, none)
			w.wantNoTwoOwners()
		}
	}
}

// wantShared wants every partition with the live member that is highest in rank.
func (w *world) wantShared() {
	for i := range partitions {
		best := slices.MaxFunc(w.members, func(a, b *process) int {
			if rank(a.name, fmt.Sprint(prefix, i)) < rank(b.name, fmt.Sprint(prefix, i)) {
				return -1
			}
			return 1
		})
		if names := w.owners(i); !slices.Equal(names, []string{best.name}) || !best.running[i] {
			w.t.Fatalf("partition %d belongs to %v, want %s", i, names, best.name)
		}
	}
}

// leave ends a member in order.
func (w *world) leave(p *process) {
	for i := range p.running {
		p.Ended(w.clock(p), i, false)
	}
	p.running = nil
	p.See(w.clock(p), w.bucket.data, w.bucket.revision)
	if c, ok := p.Leave(); ok {
		w.bucket.do(&c)
	}
	w.remove(p)
}

func (w *world) remove(p *process) {
	w.members = slices.DeleteFunc(w.members, func(q *process) bool { return p == q })
}

// step lets one random thing happen.
func (w *world) step() {
	if len(w.members) == 0 {
		w.join(w.newName())
	}
	p := rapid.SampledFrom(w.members).Draw(w.t, "member")
	switch what := rapid.SampledFrom([]string{
		"look", "write", "write", "look and write", "look and write", "look and write", "look and write",
		"wait", "wait", "long wait", "sigstop", "sigcont", "join", "kill", "leave", "fail",
	}).Draw(w.t, "what"); what {
	case "wait":
		w.now += rapid.Int64Range(0, 3*second).Draw(w.t, "wait")
	case "long wait":
		w.now += rapid.OneOf(rapid.Int64Range(9*second, 14*second), rapid.Int64Range(3*second, 70*second)).Draw(w.t, "long")
	case "sigstop", "sigcont":
		p.stopped = what == "sigstop"
	case "join":
		if len(w.members) < 4 {
			w.join(w.newName())
		}
	case "kill":
		w.remove(p)
	case "look and write", "look", "write", "leave", "fail":
		if !p.stopped {
			w.act(p, what)
		}
	}
}

func (w *world) act(p *process, what string) {
	switch what {
	case "look":
		w.look(p)
	case "look and write":
		w.look(p)
		w.write(p, none)
	case "write":
		w.write(p, rapid.SampledFrom([]fault{none, none, none, slow, lost, answerLost}).Draw(w.t, "fault"))
	case "leave":
		w.leave(p)
	case "fail":
		for i := range p.running {
			p.Ended(w.clock(p), i, true)
		}
		clear(p.running)
	}
}

// newName is a name that no living member has; the dead may have had it.
func (w *world) newName() string {
	for _, name := range []string{"gw1", "gw2", "gw3", "gw4", "gw5"} {
		if !slices.ContainsFunc(w.members, func(p *process) bool { return p.name == name }) {
			return name
		}
	}
	panic("more members than names")
}

// TestPartitionsAreShared: members come, go, die, are stopped and wake up, their
// clocks disagree, calls get lost and answers too. Never do two take the same
// partition for theirs; and once it is quiet, every partition is soon with the
// member that ranks highest, and stays there.
func TestPartitionsAreShared(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{t: t, bucket: new(bucket)}
		w.join("gw1")
		w.join("gw2")
		w.quiet(rapid.IntRange(0, 10).Draw(t, "quiet at first"))
		for range rapid.IntRange(0, 150).Draw(t, "steps") {
			w.step()
			w.wantNoTwoOwners()
		}
		if len(w.members) == 0 {
			w.join("gw1")
		}
		for _, p := range w.members {
			p.stopped = false
		}
		w.quiet(30)
		w.wantShared()
		revisions := w.bucket.revision
		w.quiet(30)
		w.wantShared()
		if wrote, most := w.bucket.revision-revisions, uint64(30/2*len(w.members))+5; wrote > most {
			t.Fatalf("%d writes in 30 quiet seconds, want at most %d", wrote, most)
		}
	})
}

// shared is a world of three members that have shared the partitions.
func shared(t *rapid.T) *world {
	w := &world{t: t, bucket: new(bucket)}
	for _, name := range []string{"gw1", "gw2", "gw3"} {
		w.join(name)
	}
	w.quiet(20)
	w.wantShared()
	return w
}

// TestHandover: an orderly end frees partitions within two seconds, a death
// within ten, and a member that comes has its share within ten.
func TestHandover(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := shared(t)
		w.leave(w.members[rapid.IntRange(0, 2).Draw(t, "leaves")])
		w.quiet(2)
		w.wantShared()
		w.join("gw9")
		w.quiet(10)
		w.wantShared()
		w.remove(w.members[rapid.IntRange(0, 2).Draw(t, "dies")])
		w.quiet(10)
		w.wantShared()
	})
}

// TestFailedWorkMoves: what a member cannot serve goes to another one, and comes
// back when it may try again. One that is alone tries again much sooner.
func TestFailedWorkMoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := shared(t)
		w.members = w.members[:rapid.IntRange(1, 3).Draw(t, "members")]
		w.quiet(20)
		p := w.members[0]
		if len(p.running) == 0 {
			return
		}
		failed := slices.Min(slices.Collect(maps.Keys(p.running)))
		p.Ended(w.clock(p), failed, true)
		delete(p.running, failed)
		w.quiet(1)
		if names := w.owners(failed); slices.Contains(names, p.name) {
			t.Fatalf("what %s cannot serve belongs to %v", p.name, names)
		}
		w.quiet(3)
		if names := w.owners(failed); len(names) == 0 || len(w.members) > 1 && slices.Contains(names, p.name) {
			t.Fatalf("what %s cannot serve belongs to %v, of %d members", p.name, names, len(w.members))
		}
		w.quiet(20)
		w.wantShared()
	})
}

// alone is a table of one partition that has taken it at time 0.
func alone() (*Table, *bucket) {
	b := new(bucket)
	t := NewTable(prefix, 1, Member{Name: "gw1", ID: "1"}, DefaultTimes())
	tell(t, b, 0, none)
	return t, b
}

// tell lets a table look at the bucket and write to it at one moment.
func tell(t *Table, b *bucket, now int64, f fault) {
	t.See(now, b.data, b.revision)
	w, ok := t.Decide(now)
	if !ok {
		return
	}
	outcome, revision := b.do(&w)
	if f == answerLost {
		outcome, revision = Unknown, 0
	}
	t.Result(&w, now, outcome, revision)
}

// TestUnknownRenewal: a renewal whose answer was lost counts from when it was
// begun, however late it is seen.
func TestUnknownRenewal(t *testing.T) {
	table, b := alone()
	tell(table, b, 4*second, answerLost)
	table.See(8*second, b.data, b.revision)
	if !table.Held(8*second, 0) || table.Held(9*second, 0) {
		t.Error("the lease is not held from 4 s until 9 s")
	}
}

// TestTheDeadAttractNothing: the sign of life that a dead member has left makes
// nobody hand over partitions, and is forgotten.
func TestTheDeadAttractNothing(t *testing.T) {
	table, b := alone()
	name := "gw2"
	for i := 0; rank(name, prefix+"0") < rank("gw1", prefix+"0"); i++ {
		name = fmt.Sprint("gw", i)
	}
	dead := NewTable(prefix, 1, Member{Name: name, ID: "2"}, DefaultTimes())
	tell(dead, b, 0, none)
	for now := second; now < 100*second; now += second {
		if tell(table, b, now, none); !table.Held(now, 0) {
			t.Fatalf("the partition is given up after %d s", now/second)
		}
	}
	if len(table.sheet.Members) != 1 {
		t.Errorf("the dead are kept: %+v", table.sheet.Members)
	}
}

// TestForgottenAndBack: a member that was stopped for so long that another one has
// forgotten it is alive with its first write, for those who were stopped as long, too.
func TestForgottenAndBack(t *testing.T) {
	back, b := alone()
	witness := NewTable(prefix, 1, Member{Name: "gw2", ID: "2"}, DefaultTimes())
	witness.See(0, b.data, b.revision)
	*b = bucket{data: []byte(`{"members":[],"owners":[""]}`), revision: b.revision + 1}
	tell(back, b, 100*second, none)
	witness.See(100*second, b.data, b.revision)
	if !back.Held(100*second, 0) || witness.stale(100*second, "1") {
		t.Error("it holds the partition, and another one may take it")
	}
}

// TestSuccessor: a process with the ID of the one before it goes on with its leases
// at once; one without waits until they are stale.
func TestSuccessor(t *testing.T) {
	_, b := alone()
	again := NewTable(prefix, 1, Member{Name: "gw1", ID: "1"}, DefaultTimes())
	if tell(again, b, 100*second, none); !again.Held(100*second, 0) {
		t.Error("its successor does not hold the lease at once")
	}
	other := NewTable(prefix, 1, Member{Name: "gw1", ID: "2"}, DefaultTimes())
	for now := int64(0); now < 7*second; now += second {
		if tell(other, b, now, none); other.Held(now, 0) {
			t.Fatalf("another process holds the lease after %d s", now/second)
		}
	}
	if tell(other, b, 7*second, none); !other.Held(7*second, 0) {
		t.Error("another process does not hold the stale lease")
	}
}

// TestTwins: two processes of one name share nothing: the first keeps what it has,
// and both find out. Both know who owns what.
func TestTwins(t *testing.T) {
	first, b := alone()
	later := NewTable(prefix, 1, Member{Name: "gw1", ID: "2"}, DefaultTimes())
	for now := int64(0); now < 30*second; now += second {
		tell(first, b, now, none)
		tell(later, b, now, none)
		if !first.Held(now, 0) || later.Held(now, 0) {
			t.Fatalf("after %d s the partition is not that of the first", now/second)
		}
	}
	if !first.Twin(30*second) || !later.Twin(30*second) {
		t.Error("they do not know of each other")
	}
	for _, table := range []*Table{first, later} {
		if got := table.Owners(30 * second); !slices.Equal(got, []string{"gw1"}) {
			t.Errorf("owners are %v", got)
		}
	}
}

// TestNewBucket: members whose bucket was lost, so that its revisions begin anew,
// share again, and what nobody can read is nobody's.
func TestNewBucket(t *testing.T) {
	table, b := alone()
	for now := second; now < 20*second; now += second {
		tell(table, b, now, none)
	}
	*b = bucket{data: []byte("not JSON"), revision: 1}
	for now := 20 * second; now < 23*second; now += second {
		tell(table, b, now, none)
	}
	if !table.Held(23*second, 0) || b.revision < 2 {
		t.Errorf("the partition is not held; revision %d", b.revision)
	}
}
