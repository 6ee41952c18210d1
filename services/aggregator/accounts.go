package aggregator

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"sort"
	"strings"

	"weir/schemas"
	"weir/services/internal/fold"
)

// owner is whose share of the ledger it is.
type owner struct {
	name   string
	signal schemas.Signal
}

func (o owner) compare(p owner) int {
	return cmp.Or(strings.Compare(o.name, p.name), strings.Compare(string(o.signal), string(p.signal)))
}

// tenant is a tenant's share of the ledger of one signal that the fold itself books.
type tenant struct {
	owner
	counted    uint64
	late       uint64
	old        uint64
	duplicate  uint64
	open       uint64 // counted, in no emitted revision of the default view yet
	crowded    uint64 // rejected: of one cumulative stream too many
	doubt      uint64 // shed: perhaps in a window that stands, see Fold.doubtful
	deviceHole int64  // records that the devices' numbers show to be missing
	holed      int64  // of these, records that may have been in frames that are missing
	passed     uint64 // log records passed through, in commits
	numbered   uint64 // records of the numbers that are not: taken or refused, each once
}

// flow is a row of what arrived and was discarded at the door.
type flow struct {
	tenant  string
	signal  schemas.Signal
	outcome schemas.Outcome
	reason  schemas.Reason
}

// accounts are the ledger's totals, cumulative.
type accounts struct {
	tenants map[owner]*tenant
	door    map[flow]uint64
	hole    uint64 // records of frames that are missing
	holeOf  uint64 // of these, those with numbers
	changed bool
}

// holes are the records of missing frames that no missing number stands for.
func (a *accounts) holes() uint64 {
	var found int64
	for _, t := range a.tenants {
		found += t.holed
	}
	return a.hole - min(a.holeOf, uint64(max(0, found)))
}

func newAccounts() accounts {
	return accounts{tenants: map[owner]*tenant{}, door: map[flow]uint64{}}
}

// tenant is a tenant's share of metrics.
func (a *accounts) tenant(name string) *tenant { return a.share(name, schemas.Metrics) }

// share is a tenant's share of a signal.
func (a *accounts) share(name string, s schemas.Signal) *tenant {
	o := owner{name, s}
	t := a.tenants[o]
	if t == nil {
		t = &tenant{owner: o}
		a.tenants[o] = t
	}
	return t
}

// owners are those that have a share, in order.
func (a *accounts) owners() []owner { return slices.SortedFunc(maps.Keys(a.tenants), owner.compare) }

// arrive books what a frame says of the door.
func (a *accounts) arrive(rows []schemas.Flow) {
	for i := range rows {
		w := &rows[i]
		a.door[flow{w.Tenant, w.Signal, w.Outcome, w.Reason}] += w.N
		a.changed = true
	}
}

// rows are the totals, sorted. Records of frame holes are not of any tenant that
// could be told: they stand under the empty name.
func (a *accounts) rows() []schemas.Total {
	out := make([]schemas.Total, 0, len(a.door)+5*len(a.tenants))
	for f, n := range a.door {
		t := schemas.Total{Tenant: f.tenant, Signal: f.signal, Outcome: f.outcome, Reason: f.reason, N: n}
		if f.outcome != "" {
			t.Stage = schemas.StageIngest
		}
		out = append(out, t)
	}
	for _, t := range a.tenants {
		out = t.rows(out)
	}
	if n := a.holes(); n > 0 {
		out = append(out, lost("", schemas.FrameHole, n))
	}
	out = a.unnumbered(out)
	sort.Slice(out, func(i, j int) bool { return less(&out[i], &out[j]) })
	return out
}

// unnumbered appends how many records of each tenant no number can tell.
func (a *accounts) unnumbered(out []schemas.Total) []schemas.Total {
	all := schemas.Numbers(out)
	for o, t := range a.tenants {
		all[o.name] -= t.numbered
	}
	for tenant, n := range all {
		if int64(n) > 0 {
			out = append(out, schemas.Total{Tenant: tenant, Outcome: schemas.Unnumbered, N: n})
		}
	}
	return out
}

func less(a, b *schemas.Total) bool {
	for _, p := range [...][2]string{
		{a.Tenant, b.Tenant},
		{string(a.Signal), string(b.Signal)},
		{string(a.Outcome), string(b.Outcome)},
		{string(a.Reason), string(b.Reason)},
	} {
		if p[0] != p[1] {
			return p[0] < p[1]
		}
	}
	return false
}

func (t *tenant) rows(out []schemas.Total) []schemas.Total {
	for _, r := range [...]struct {
		o schemas.Outcome
		r schemas.Reason
		n uint64
	}{
		{schemas.Counted, "", t.counted},
		{schemas.Late, schemas.TooLate, t.late},
		{schemas.Late, schemas.TooOld, t.old},
		{schemas.Duplicate, schemas.Repeat, t.duplicate},
		{schemas.Rejected, schemas.TooMany, t.crowded},
		{schemas.Shed, schemas.InDoubt, t.doubt},
		{schemas.Passed, "", t.passed},
	} {
		if r.n > 0 {
			out = append(out, schemas.Total{
				Tenant: t.name, Signal: t.signal, Stage: schemas.StageAggregator, Outcome: r.o, Reason: r.r, N: r.n,
			})
		}
	}
	if t.deviceHole > 0 {
		out = append(out, lost(t.name, schemas.DeviceHole, uint64(t.deviceHole)))
	}
	return out
}

func lost(tenant string, why schemas.Reason, n uint64) schemas.Total {
	return schemas.Total{
		Tenant: tenant, Signal: schemas.Metrics, Stage: schemas.StageAggregator,
		Outcome: schemas.LostDeclared, Reason: why, N: n,
	}
}

func (a *accounts) append(b []byte) []byte {
	owners := a.owners()
	b = binary.AppendUvarint(b, uint64(len(owners)))
	for _, o := range owners {
		t := a.tenants[o]
		b = fold.AppendString(fold.AppendString(b, o.name), string(o.signal))
		for _, v := range [...]uint64{t.counted, t.late, t.old, t.duplicate, t.open, t.crowded, t.doubt, t.numbered, t.passed} {
			b = binary.AppendUvarint(b, v)
		}
		b = binary.AppendVarint(binary.AppendVarint(b, t.deviceHole), t.holed)
	}
	keys := make([]flow, 0, len(a.door))
	for k := range a.door {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].before(keys[j]) })
	b = binary.AppendUvarint(b, uint64(len(keys)))
	for _, k := range keys {
		for _, s := range [...]string{k.tenant, string(k.signal), string(k.outcome), string(k.reason)} {
			b = fold.AppendString(b, s)
		}
		b = binary.AppendUvarint(b, a.door[k])
	}
	b = binary.AppendUvarint(binary.AppendUvarint(b, a.hole), a.holeOf)
	return fold.AppendBool(b, a.changed)
}

func (f flow) before(g flow) bool {
	return less(&schemas.Total{Tenant: f.tenant, Signal: f.signal, Outcome: f.outcome, Reason: f.reason},
		&schemas.Total{Tenant: g.tenant, Signal: g.signal, Outcome: g.outcome, Reason: g.reason})
}

func (a *accounts) read(r *fold.StateReader, version byte) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		name, signal := r.String(), string(schemas.Metrics)
		if version > 2 {
			signal = r.String()
		}
		t := a.share(name, schemas.Signal(signal))
		t.counted, t.late, t.old, t.duplicate, t.open = r.Uint(), r.Uint(), r.Uint(), r.Uint(), r.Uint()
		if version > 2 {
			t.crowded, t.doubt = r.Uint(), r.Uint()
		}
		if version > 3 {
			t.numbered = r.Uint()
		}
		if version > 6 {
			t.passed = r.Uint()
		}
		if t.deviceHole = r.Int(); version > 3 {
			t.holed = r.Int()
		}
	}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		f := flow{r.String(), schemas.Signal(r.String()), schemas.Outcome(r.String()), schemas.Reason(r.String())}
		a.door[f] = r.Uint()
	}
	if a.hole = r.Uint(); version > 3 {
		a.holeOf = r.Uint()
	}
	a.changed = r.Bool()
}
