package verify

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"weir/simulator/plan"
	"weir/simulator/truth"
)

const (
	unitsPerOne = 1 / plan.Unit
	sliceLength = int64(60 * 1e9) // of event time, asked for at once; at least one window
)

// place is a window of a device.
type place struct {
	device int
	start  int64
}

// slicer makes the device windows of one truth, slice by slice.
type slicer struct {
	truth  *truth.Truth
	size   int64
	walks  []walk
	series []uint64
	open   map[place]*bounds // windows that are not behind the slice
}

func newSlicer(t *truth.Truth, size int64) *slicer {
	s := &slicer{truth: t, size: size, open: map[place]*bounds{}}
	for d := range t.Devices {
		s.walks = append(s.walks, newWalk(t, d))
		s.series = append(s.series, t.Plan.Series(d))
	}
	return s
}

// through makes all windows that begin before to, and returns them.
func (s *slicer) through(to int64) map[place]*bounds {
	for d := range s.walks {
		s.device(d, to, func(r reading, is presence) {
			at(s.open, place{d, floor(r.at, s.size)}).reading(r, is)
		})
	}
	done := map[place]*bounds{}
	maps.DeleteFunc(s.open, func(w place, b *bounds) bool {
		if w.start < to {
			done[w] = b
		}
		return w.start < to
	})
	return done
}

// device passes each reading to count of the messages of a device that begin
// before to.
func (s *slicer) device(d int, to int64, yield func(reading, presence)) {
	w := &s.walks[d]
	for {
		if begins, ok := w.begins(); !ok || begins >= to {
			return
		}
		if m, is := w.next(); is != absent && m.Counted() {
			readings(s.truth.Plan, s.series[d], m, func(r reading) { yield(r, is) })
		}
	}
}

// candidates are the readings that may explain a wrong window: its own, and too
// late ones that fall into it. They are walked again from a copy of the slicer's
// state before its slice.
func (s *slicer) candidates(before []walk, place place) []reading {
	var found []reading
	p, w := s.truth.Plan, before[place.device]
	latest := place.start + s.size + p.Lateness + p.Size + int64(time.Minute) + 2*p.Span()
	for {
		if begins, ok := w.begins(); !ok || begins >= latest {
			return found
		}
		if m, is := w.next(); is != absent && (m.Counted() || m.Fate == plan.TooLate) {
			readings(p, s.series[place.device], m, func(r reading) {
				if floor(r.at, s.size) == place.start {
					found = append(found, r)
				}
			})
		}
	}
}

// devicePass compares the device windows of one truth.
type devicePass struct {
	*verification
	*slicer
	late *latePass
}

// run compares all slices. A slice that differs is asked for again as long as
// there is hope.
func (p *devicePass) run(ctx context.Context, e *expectation) error {
	if e.first == 0 {
		return nil
	}
	length := max(sliceLength/p.size, 1) * p.size
	for from := floor(e.first, p.size); from <= e.last; from += length {
		before := slices.Clone(p.walks)
		want := p.through(from + length)
		if err := p.slice(ctx, before, want, from, from+length); err != nil {
			return err
		}
		p.report.DeviceWindows += int64(len(want))
	}
	return nil
}

func (p *devicePass) slice(ctx context.Context, before []walk, want map[place]*bounds, from, to int64) error {
	var got map[place]window
	var odd []Difference
	err := p.until(ctx, func() (state, error) {
		var err error
		if got, odd, err = p.fetch(ctx, from, to); err != nil {
			return state{}, err
		}
		return p.judge(want, got, len(odd)), nil
	})
	if err != nil {
		return err
	}
	p.settle(before, want, got, odd)
	return nil
}

// fetch asks for the windows of the run that start in [from, to).
func (p *devicePass) fetch(ctx context.Context, from, to int64) (map[place]window, []Difference, error) {
	got := map[place]window{}
	var odd []Difference
	q := asking("region", deviceView, p.truth.Plan.Tenant, from, to)
	q.Set("device_prefix", p.truth.Plan.Prefix())
	err := p.product.windows(ctx, q, func(w window) bool {
		d := p.truth.Plan.Index(w.device)
		if d < 0 || w.start < from || w.start >= to {
			return true
		}
		k := place{d, w.start}
		_, twice := got[k]
		if why := p.oddity(w, twice); why != "" {
			odd = append(odd, Difference{Where: p.where(k), Expected: "one window of " + plan.Metric, Found: why})
			return true
		}
		got[k] = w
		return true
	})
	return got, odd, err
}

// oddity says what is wrong with a window whatever it holds.
func (p *devicePass) oddity(w window, twice bool) string {
	switch {
	case w.metric != plan.Metric:
		return fmt.Sprintf("metric %q", w.metric)
	case w.start%p.size != 0 || w.end-w.start != p.size:
		return fmt.Sprintf("a window to %s", stamp(w.end))
	case twice:
		return "a second one"
	case !w.exact:
		return "a sum that is no multiple of 2^-10"
	}
	return ""
}

// judge sums up a comparison, so that until can tell whether to ask again.
func (p *devicePass) judge(want map[place]*bounds, got map[place]window, odd int) state {
	st := state{wrong: int64(odd)}
	for k, b := range want {
		w, ok := got[k]
		if !b.fits(w.sum) && !p.late.excuses(b, w.sum) {
			st.wrong++
			st.hopeless = st.hopeless || w.sum.count > b.most().count
		}
		st.pending = st.pending || ok && !w.final
		st.print += w.sum.digest ^ uint64(w.sum.count)
	}
	for k := range got {
		if want[k] == nil {
			st.wrong++
			st.hopeless = true
		}
	}
	return st
}

// settle puts the differences of a slice into the report.
func (p *devicePass) settle(before []walk, want map[place]*bounds, got map[place]window, odd []Difference) {
	var wrong []place
	open := 0
	for k, b := range want {
		w := got[k]
		switch {
		case b.fits(w.sum):
		case p.late.excuses(b, w.sum):
			p.late.owe(k, b, w.sum)
		default:
			wrong = append(wrong, k)
		}
		if w.sum.count > 0 && !w.final {
			open++
		}
	}
	if p.options.Final && open > 0 {
		odd = append(odd, Difference{Where: "device windows of run " + p.truth.Plan.Run, Expected: "final ones", Found: fmt.Sprintf("%d that are not final", open)})
	}
	for k := range got {
		if want[k] == nil {
			wrong = append(wrong, k)
		}
	}
	slices.SortFunc(wrong, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.device, b.device))
	})
	shown := min(len(wrong), shownDifferences)
	for _, k := range wrong[:shown] {
		odd = append(odd, p.difference(before, k, want[k], got[k].sum))
	}
	p.report.differ(odd, int64(len(wrong)-shown))
}

func (p *devicePass) difference(before []walk, k place, want *bounds, got sum) Difference {
	d := Difference{Where: p.where(k), Expected: "no window", Found: got.String()}
	if got.count == 0 {
		d.Found = "no window"
	}
	if want != nil {
		d.Expected = want.String()
		if want.maybe.count == 0 {
			d.Readings = suspects(p.candidates(before, k), want.sure, got)
		}
	}
	return d
}

func (p *devicePass) where(k place) string {
	return fmt.Sprintf("device window %s %s %s to %s", p.truth.Plan.Device(k.device), plan.Metric, stamp(k.start), stamp(k.start+p.size))
}

// asking makes the parameters of a question for windows.
func asking(tier, view, tenant string, from, to int64) question {
	return question{"tier": {tier}, "view": {view}, "tenant": {tenant}, "from": {stamp(from)}, "to": {stamp(to)}}
}
