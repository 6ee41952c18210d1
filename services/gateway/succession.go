package gateway

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"weir/schemas"
)

// A producer goes on in a new epoch when the stores of the old one may be older than
// what it has sent. What is known here of the old one then tells apart what an old
// copy knows as well and what only the lost one knew.

// ending is how an epoch has ended, as the one that followed it says.
type ending struct {
	by schemas.Epoch
	schemas.Continuation
}

// succession is what a space has to do with those before and after it.
type succession struct {
	after   []schemas.Continuation // epochs that this one continues, and those that it does not know
	told    int                    // how many its producer has named
	rivals  []*space               // others of another copy of the store: neither knows the other
	endings []ending               // nearly always one at most
	over    bool                   // ended, and nothing of it is on its way any more

	will  []schemas.Total // what it had come to, as the state says that its heir began with
	state uint64          // newest entry in that state

	recall // windows that entries have revised, by their ends; of gateways see stands

	records map[string]uint64 // in the windows of the device view applied, by owner
	doubt   map[string]uint64 // records of the same view that are left out, by owner
	shed    map[string]uint64 // records that were shed before they came, by owner
	refused map[string]uint64 // records in the latest revision of each part that is left out

	inherited map[string]uint64 // records that the estate has added, by view

	knew map[schemas.Epoch]map[string]uint64 // records of numbers in the states that it goes on from, by tenant
}

func newSuccession() succession {
	return succession{
		recall:  newRecall(),
		records: map[string]uint64{}, doubt: map[string]uint64{}, shed: map[string]uint64{}, refused: map[string]uint64{}, inherited: map[string]uint64{},
		knew: map[schemas.Epoch]map[string]uint64{},
	}
}

// touched reports whether entries after n have revised a window, or may have.
func (s *succession) touched(n uint64, name string, end int64) bool {
	if end > s.latest {
		return false
	}
	has, unsure := s.has(n, schemas.Hash([]byte(name)), end)
	return has || unsure
}

// last is the greatest number applied; 0: none.
func (s *space) last() uint64 {
	if len(s.stretches) == 0 {
		return 0
	}
	return s.stretches[len(s.stretches)-1].to
}

// succeed notes which epochs an entry says are over.
func (p *producer) succeed(s *space, c *schemas.Commit) {
	if len(c.Continues) <= s.told {
		return
	}
	s.told, p.line = len(c.Continues), nil
	for i, k := range c.Continues {
		heir := c.Epoch
		if i > 0 {
			heir = c.Continues[i-1].Epoch
		}
		if !slices.ContainsFunc(s.after, func(a schemas.Continuation) bool { return a.Epoch == k.Epoch }) {
			s.after = append(s.after, k)
		}
		if old := p.space(k.Epoch); old != nil && old != s && !slices.Contains(old.endings, ending{heir, k}) {
			old.endings = append(old.endings, ending{heir, k})
		}
	}
	p.unknown(s)
	p.findRivals()
}

// findRivals finds the epochs that two copies of a store have begun: both go on from
// the same, or the same goes on from both, and neither knows the other.
func (p *producer) findRivals() {
	for e, s := range p.spaces {
		s.rivals = s.rivals[:0]
		for other, x := range p.spaces {
			if x != s && !x.continues(e) && !s.continues(other) && slices.ContainsFunc(s.after, func(k schemas.Continuation) bool { return x.continues(k.Epoch) }) {
				s.rivals = append(s.rivals, x)
			}
		}
	}
	for _, heir := range p.spaces {
		for i, k := range heir.after {
			for _, l := range heir.after[:i] {
				p.oppose(k.Epoch, l.Epoch)
			}
		}
	}
}

// oppose makes rivals of two epochs of which neither knows the other.
func (p *producer) oppose(a, b schemas.Epoch) {
	s, x := p.spaces[a], p.spaces[b]
	if s == nil || x == nil || s.continues(b) || x.continues(a) || slices.Contains(s.rivals, x) {
		return
	}
	s.rivals, x.rivals = append(s.rivals, x), append(x.rivals, s)
}

func (s *succession) continues(e schemas.Epoch) bool {
	return slices.ContainsFunc(s.after, func(k schemas.Continuation) bool { return k.Epoch == e })
}

// remember takes what the epochs before an entry's had come to.
func (p *producer) remember(heir *space, c *schemas.Commit) {
	for i := 0; i < len(c.Past); {
		p.line = nil
		k := c.Continues[c.Past[i].Of]
		s := p.space(k.Epoch)
		var will []schemas.Total
		for of := c.Past[i].Of; i < len(c.Past) && c.Past[i].Of == of; i++ {
			will = append(will, c.Past[i].Total)
		}
		heir.know(k.Epoch, will)
		if s != nil && s.will == nil {
			s.will, s.state = will, k.State
		}
	}
}

// unknown adds to the epochs that one continues those before it of which its producer
// knows as little: an older copy knows nothing of what came between.
func (p *producer) unknown(s *space) {
	for i := 0; i < len(s.after); i++ {
		old := p.spaces[s.after[i].Epoch]
		if old == nil || s.after[i].State > 0 {
			continue
		}
		for _, a := range old.after {
			if !slices.ContainsFunc(s.after, func(k schemas.Continuation) bool { return k.Epoch == a.Epoch }) {
				s.after = append(s.after, schemas.Continuation{Epoch: a.Epoch})
			}
		}
	}
}

// doubtful reports whether a window of an epoch may hold records that a lost copy of
// its producer's store has brought: an entry that the producer does not know has
// revised the window. An epoch that goes on from nothing knows no other: all was lost
// while nobody could be asked. The heir of an epoch whose state was lost does not know what
// it brings either, and its entries may come before that.
func (p *producer) doubtful(s *space, w *schemas.Window, key string) bool {
	if s.fromNothing() {
		return p.touchedBeside(s, w, key)
	}
	for _, k := range s.after {
		old := p.spaces[k.Epoch]
		if old != nil && old.last() > k.State && old.touched(k.State, key, w.End) {
			return true
		}
	}
	for _, x := range p.spaces { // nobody knows what those know, or they do not know what this one does
		if x != s && (!x.retired && x.fromNothing() || p.forgot(x, s)) && x.touched(0, key, w.End) {
			return true
		}
	}
	return slices.ContainsFunc(s.rivals, func(x *space) bool { return x.touched(0, key, w.End) })
}

// forgot reports whether an epoch goes on from another of whose state nothing was left: what
// devices have sent again may be in both.
func (p *producer) forgot(heir, s *space) bool {
	return slices.ContainsFunc(heir.after, func(k schemas.Continuation) bool { return k.State == 0 && p.spaces[k.Epoch] == s })
}

// touchedBeside reports whether another epoch of the producer has revised a window.
func (p *producer) touchedBeside(s *space, w *schemas.Window, key string) bool {
	if len(p.spaces) == 1 {
		return false // as nearly always
	}
	for _, x := range p.spaces {
		if x != s && !x.retired && x.touched(0, key, w.End) {
			return true
		}
	}
	return false
}

// refuse leaves a part out and counts what it holds.
func (s *space) refuse(w *schemas.Window, key string) {
	name := key + string(binary.AppendUvarint(nil, w.FirstN))
	was := s.refused[name]
	if w.Records() <= was {
		return
	}
	s.refused[name] = w.Records()
	if _, late := schemas.CutLate(w.View); !late {
		s.counted[w.View] += w.Records() - was
	}
	if w.View == schemas.DeviceView {
		s.doubt[ownerOf(w)] += w.Records() - was
	}
}

// lack notes what a folded entry says was shed: it counts as come, so that the rest can
// be judged.
func (s *space) lack(rows []schemas.ShedRecords) {
	for _, r := range rows {
		if r.View == schemas.PassedView {
			s.logs.lack(r)
			continue
		}
		if _, late := schemas.CutLate(r.View); !late {
			s.counted[r.View] += r.N
		}
		if r.View == schemas.DeviceView {
			s.shed[owner(r.Tenant, r.Signal)] += r.N
		}
	}
}

// inherit applies what was open in the epoch before: its last revisions, but where a
// lost copy has put out more of the window.
func (f *Fold) inherit(p *producer, s *space, n uint64, w *schemas.Window) {
	key := windowKey(w)
	old := p.spaces[w.Epoch]
	if old == nil || p.doubtful(s, w, key) {
		return
	}
	s.note(n, schemas.Hash([]byte(key)), w.End)
	part, added := f.revise(p, old, w, key)
	if part == nil {
		return
	}
	old.inherited[w.View] += added
	part.fresh, part.held, part.at = false, true, beyond
	f.touched = append(f.touched, part.of)
	if old.retired {
		f.finish(part)
	}
}

// beyond is an entry after all others: what an estate says is the last word.
const beyond = 1 << 62

// lastWord is the ending that expects the least. An epoch has several where its
// outbox was lost after it had ended.
func (s *succession) lastWord() ending {
	return slices.MaxFunc(s.endings, func(a, b ending) int { return cmp.Compare(a.From, b.From) })
}

// stray reports whether an entry is of a copy of the store that nobody goes on from.
func (s *space) stray(n uint64) bool {
	for _, e := range s.endings {
		if n <= e.N {
			return false
		}
	}
	return len(s.endings) > 0
}

// conclude ends the epochs of a producer of which all has come that will.
func (f *Fold) conclude(p *producer) {
	for again := true; again; {
		again = false
		for _, s := range p.spaces {
			if !s.over && slices.ContainsFunc(s.endings, func(e ending) bool { return p.settled(s, e) }) {
				s.over, again = true, true
				s.judgeEnded()
				f.retire(p, s)
			}
		}
	}
}

// settled reports whether all has come of an epoch that will: the entries that its
// producer holds still, and the estate.
func (p *producer) settled(s *space, e ending) bool {
	heir := p.spaces[e.by]
	if e.Estate > 0 && (heir == nil || !heir.covers(1, e.Estate)) {
		return false
	}
	return e.From > e.N || s.covers(e.From, e.N)
}

// covers reports whether all of these entries are applied.
func (s *space) covers(from, to uint64) bool {
	st := s.at(from)
	return s.retired || st != nil && st.to >= to
}

// judgeEnded notes what cannot be: more records than the producer has emitted. Fewer
// are lost.
func (s *space) judgeEnded() {
	s.off = 0
	if s.newest == nil {
		return
	}
	for i := range s.newest.views {
		v := &s.newest.views[i]
		s.off += max(0, int64(s.counted[v.View]-s.inherited[v.View]-v.Emitted))
	}
}

// outlived reports whether an epoch has ended and another one has gone on.
func (p *producer) outlived(s *space) bool {
	return slices.ContainsFunc(s.endings, func(e ending) bool {
		heir := p.spaces[e.by]
		return heir != nil && heir.newest != nil
	})
}

// known are the epochs of which entries are applied and that have not ended, in the
// order of their bytes.
func (p *producer) known() (out []schemas.LinkEpoch) {
	for _, e := range p.epochs() {
		s := p.spaces[e]
		if s.retired || len(s.endings) > 0 || s.last() == 0 {
			continue
		}
		k := schemas.LinkEpoch{Epoch: e.String(), Applied: s.last(), Missing: s.missing(), Heir: len(s.after) > 0}
		if h := s.newest; h != nil {
			k.N, k.InLast, k.InHash, k.Time = h.n, h.inLast, h.inHash, h.time
		}
		out = append(out, k)
	}
	return out
}

// missing is the least number that is not applied.
func (s *space) missing() uint64 {
	if st := s.at(1); st != nil {
		return st.to + 1
	}
	return 1
}

// account are the totals of an epoch: as its newest whole commit says, or the state
// that its heir began with if that knew more; less what is left out here. Once it is over, what its windows hold is all that it has counted:
// what is missing is lost, and the estate may have more than that commit knew.
func (s *space) account() []schemas.Total {
	sum := map[schemas.Total]uint64{}
	switch {
	case s.over && s.will != nil && (s.newest == nil || s.newest.n <= s.state):
		addTotals(sum, s.will)
	case s.newest != nil && !s.over && len(s.doubt)+len(s.shed) == 0 && s.logs.whole():
		return s.newest.totals
	case s.newest != nil:
		addTotals(sum, s.newest.totals)
	}
	for who, n := range s.doubt {
		t := counted(who)
		move(sum, t, doubted(t), n)
	}
	for who, n := range s.shed {
		t := counted(who)
		move(sum, t, schemas.Total{Tenant: t.Tenant, Signal: t.Signal, Stage: schemas.StageOutbox, Outcome: schemas.Shed, Reason: schemas.OutboxFull}, n)
	}
	s.logs.settle(sum, s.over)
	if s.over {
		s.concludeTotals(sum)
	}
	return sortedTotals(sum)
}

// concludeTotals are those of an epoch of which nothing comes any more.
func (s *space) concludeTotals(sum map[schemas.Total]uint64) {
	owners := map[string]bool{}
	for t := range sum {
		who := owner(t.Tenant, t.Signal)
		owners[who] = owners[who] || t == counted(who)
	}
	for who := range s.records {
		owners[who] = true
	}
	for who, has := range owners {
		t := counted(who)
		arrived := schemas.Total{Tenant: t.Tenant, Signal: t.Signal}
		delete(sum, schemas.Total{Tenant: t.Tenant, Signal: t.Signal, Outcome: schemas.OpenYet})
		if !has {
			continue
		}
		said, held := sum[t], s.records[who]
		if sum[t] = held; held >= said {
			sum[arrived] += held - said
			continue
		}
		move(sum, arrived, schemas.Total{
			Tenant: t.Tenant, Signal: t.Signal, Stage: schemas.StageGateway, Outcome: schemas.LostDeclared, Reason: schemas.StoreLost,
		}, said-held)
	}
}

// owner is whose share of a ledger records are: a tenant's, of a signal.
func owner(tenant string, signal schemas.Signal) string { return tenant + "/" + string(signal) }

func ownerOf(w *schemas.Window) string {
	return owner(w.Key.Tenant, schemas.SignalOf(w.Dim("metric")))
}

// counted names what an aggregator counts for an owner.
func counted(who string) schemas.Total {
	tenant, signal, _ := strings.Cut(who, "/")
	return schemas.Total{Tenant: tenant, Signal: schemas.Signal(signal), Stage: schemas.StageAggregator, Outcome: schemas.Counted}
}

// doubted names what of the share of a total is left out here, because it may have come.
func doubted(t schemas.Total) schemas.Total {
	return schemas.Total{Tenant: t.Tenant, Signal: t.Signal, Stage: schemas.StageGateway, Outcome: schemas.Shed, Reason: schemas.InDoubt}
}

// move takes n off one total, as far as that goes, and adds it to another.
func move(sum map[schemas.Total]uint64, from, to schemas.Total, n uint64) {
	sum[from] -= min(n, sum[from])
	sum[to] += n
}
