package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"weir/simulator/truth"
)

// The views that always exist.
const (
	deviceView = "device"
	fleetView  = "fleet"
)

const (
	defaultTimeout = 120 * time.Second
	firstContact   = 5 * time.Second  // then nobody is there
	hope           = 20 * time.Second // after so long, and
	hopeShare      = 6                // such a part of the timeout, without a change nothing more comes
	askAgain       = 500 * time.Millisecond
)

// Verify compares what the product at o.HTTP holds with the truths, and writes
// the result to out in words unless out is nil.
//
// Errors: *OptionsError, *UnreachableError, and *NotEqualError where the product
// holds something else; the report is complete with the last.
func Verify(ctx context.Context, o Options, out io.Writer) (Report, error) {
	r, err := Against(ctx, o, http.DefaultTransport)
	var unequal *NotEqualError
	if out != nil && (err == nil || errors.As(err, &unequal)) {
		err = errors.Join(err, r.WriteText(out))
	}
	return r, err
}

// Against is Verify without words, over the given transport.
func Against(ctx context.Context, o Options, transport http.RoundTripper) (Report, error) {
	if err := o.check(); err != nil {
		return Report{}, &OptionsError{err}
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	begun := time.Now()
	v := &verification{options: o, deadline: begun.Add(o.Timeout), report: &Report{Notes: []string{}, First: []Difference{}}}
	v.product = o.product(&http.Client{Transport: transport})
	err := v.run(ctx)
	v.report.Seconds = time.Since(begun).Seconds()
	v.report.Equal = err == nil && v.report.Differences == 0
	if err == nil && !v.report.Equal {
		err = &NotEqualError{v.report.Differences}
	}
	return *v.report, err
}

// verification is one call of Verify.
type verification struct {
	options  Options
	product  *product
	report   *Report
	deadline time.Time
	resigned bool // something has differed for good: later steps do not wait

	truths   []*truth.Truth
	views    map[string]view
	expected []*expectation
	accounts []*account // one per tenant
}

func (v *verification) run(ctx context.Context) error {
	if err := v.load(); err != nil {
		return &OptionsError{err}
	}
	if err := v.contact(ctx); err != nil {
		return err
	}
	v.expect()
	steps := []func(context.Context) error{v.wait, v.devices, v.fleets, v.ledgers}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) load() error {
	seen := map[string]bool{}
	for _, path := range v.options.Truth {
		t, err := truth.Load(path)
		if err != nil {
			return err
		}
		if seen[t.Plan.Run] {
			return fmt.Errorf("truth %s: run %s is there twice", path, t.Plan.Run)
		}
		seen[t.Plan.Run] = true
		if !t.Finished {
			v.report.note("run %s: its simulator did not end, so what it sent last is unknown", t.Plan.Run)
		}
		v.truths = append(v.truths, t)
		v.report.Runs = append(v.report.Runs, t.Plan.Run)
	}
	return nil
}

// contact asks for the sizes of windows, and waits a little for a product that
// starts.
func (v *verification) contact(ctx context.Context) error {
	for patience := time.Now().Add(min(firstContact, v.options.Timeout)); ; pause(ctx, askAgain) {
		views, err := v.product.views(ctx)
		var away *UnreachableError
		if errors.As(err, &away) && time.Now().Before(patience) && ctx.Err() == nil {
			continue
		}
		if err == nil && (views[deviceView].size == 0 || views[fleetView].size == 0) {
			err = fmt.Errorf("read policy: it has no views %q and %q", deviceView, fleetView)
		}
		v.views = views
		return err
	}
}

func (v *verification) expect() {
	byTenant := map[string]*account{}
	for _, t := range v.truths {
		if got := v.views[deviceView].lateness; got != time.Duration(t.Plan.Lateness) && t.Plan.Faults.Late+t.Plan.Faults.TooLate > 0 {
			v.report.note("run %s: its late readings are made for a lateness of %v, the product allows %v", t.Plan.Run, time.Duration(t.Plan.Lateness), got)
		}
		e := expect(t, int64(v.views[fleetView].size))
		v.expected = append(v.expected, e)
		v.report.Records += e.flow.counted.least
		v.report.Unknown += e.flow.counted.most - e.flow.counted.least
		a := byTenant[t.Plan.Tenant]
		if a == nil {
			a = &account{tenant: t.Plan.Tenant, late: v.options.LateAllowed}
			byTenant[t.Plan.Tenant] = a
			v.accounts = append(v.accounts, a)
		}
		a.add(e)
	}
}

// wait waits until the ledger says that everything has arrived and nothing is
// in flight.
func (v *verification) wait(ctx context.Context) error {
	return v.until(ctx, func() (state, error) {
		l, err := v.product.ledger(ctx)
		var st state
		for _, a := range v.accounts {
			t := l.Tenants[a.tenant]
			if !a.complete(t) {
				st.wrong++
			}
			st.print += uint64(t.Received)*31 + uint64(t.InFlight)
		}
		return st, err
	})
}

func (v *verification) devices(ctx context.Context) error {
	size := int64(v.views[deviceView].size)
	for i, e := range v.expected {
		late := &latePass{verification: v, truth: v.truths[i], want: e.late, moved: map[hourOf]sum{}}
		pass := &devicePass{verification: v, slicer: newSlicer(v.truths[i], size), late: late}
		if err := errors.Join(pass.run(ctx, e), late.run(ctx)); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) fleets(ctx context.Context) error {
	for _, a := range v.accounts {
		l, err := v.ledger(ctx)
		if err != nil {
			return err
		}
		if len(a.compare(l.Tenants[a.tenant])) > 0 {
			if a.foreign, err = v.shared(ctx, a.tenant); err != nil {
				return err
			}
		}
		if a.foreign {
			v.report.note("tenant %s holds records of devices that these truths do not know: its fleet windows and ledger are compared from below only", a.tenant)
		}
		if err := newFleetPass(v, a, int64(v.views[fleetView].size), v.of(a.tenant)).run(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) of(tenant string) []*expectation {
	return slices.DeleteFunc(slices.Clone(v.expected), func(e *expectation) bool { return e.truth.Plan.Tenant != tenant })
}

// shared reports whether the tenant has a window or a late reading of a device
// that no truth knows.
func (v *verification) shared(ctx context.Context, tenant string) (bool, error) {
	foreign := false
	own := func(device string) bool {
		return slices.ContainsFunc(v.truths, func(t *truth.Truth) bool { return t.Plan.Tenant == tenant && t.Plan.Index(device) >= 0 })
	}
	future := time.Now().Add(24 * time.Hour).UnixNano()
	err := v.product.windows(ctx, asking("region", deviceView, tenant, 0, future), func(w window) bool {
		foreign = !own(w.device)
		return !foreign
	})
	if err != nil || foreign {
		return foreign, err
	}
	err = v.product.late(ctx, question{"tenant": {tenant}}, func(view string, t lateTotal) {
		foreign = foreign || view == deviceView && !own(t.device)
	})
	return foreign, err
}

func (v *verification) ledgers(ctx context.Context) error {
	l, err := v.ledger(ctx)
	if err != nil {
		return err
	}
	all := map[string]span{}
	var received int64
	for _, a := range v.accounts {
		v.report.differ(a.compare(l.Tenants[a.tenant]), 0)
		received += l.Tenants[a.tenant].Received
		for reason, s := range a.flow.reasons {
			all[reason] = all[reason].plus(s)
		}
		if a.foreign {
			return nil
		}
	}
	if received == l.Totals.Received { // there is no other tenant
		v.report.differ(compareReasons(all, l), 0)
	}
	return nil
}

func (v *verification) ledger(ctx context.Context) (l ledger, err error) {
	err = v.until(ctx, func() (state, error) {
		l, err = v.product.ledger(ctx)
		return state{}, err
	})
	return l, err
}

// state is how a comparison stands.
type state struct {
	wrong    int64
	hopeless bool   // no later answer can mend it
	pending  bool   // some windows are not final
	print    uint64 // changes where the answer does
}

// until repeats an attempt until nothing is wrong, or nothing changes any more,
// or the time is over. A product that is away is waited for.
func (v *verification) until(ctx context.Context, attempt func() (state, error)) error {
	var before state
	changed := time.Now()
	for {
		st, err := attempt()
		var away *UnreachableError
		over := !time.Now().Before(v.deadline) || ctx.Err() != nil
		switch {
		case err != nil && (over || !errors.As(err, &away)):
			return errors.Join(err, ctx.Err())
		case err != nil:
			changed = time.Now()
		default:
			waiting := v.options.Final && st.pending
			if st != before {
				before, changed = st, time.Now()
			}
			switch {
			case st.wrong == 0 && !waiting:
				return nil
			case over, v.resigned, st.hopeless, !waiting && time.Since(changed) > max(hope, v.options.Timeout/hopeShare):
				v.resigned = true
				return ctx.Err()
			}
		}
		pause(ctx, askAgain)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
