package window

// Flush puts out every window that holds data, oldest first, as it is: changed says whether it holds a record that no
// revision of it has shown. Then p holds nothing: what is accepted from now on opens new parts, which hold the new
// records only. What is final stays so. With Spec.Carry what precedes the next ones stays. emit must not call p.
func (p *Panes[A]) Flush(s *Spec, pool *Pool[A], emit func(r Revision[A], changed bool)) {
	p.heat(Bounds{}, 0, nil, false)
	for i := range p.windows {
		w := &p.windows[i]
		changed := w.changed
		p.emit(s, w, Final, pool, func(r Revision[A]) { emit(r, changed) })
	}
	for _, sl := range p.slices {
		p.drop(sl.acc, s.Carry, pool)
	}
	clear(p.slices)
	p.windows, p.slices, p.closed = p.windows[:0], p.slices[:0], 0
	p.plan(s)
}
