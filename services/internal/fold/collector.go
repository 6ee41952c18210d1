package fold

import (
	"sort"

	"weir/schemas"
)

// Collector gathers the windows that a core puts out during one message, and
// sorts them into their order on the wire. It keeps its memory.
type Collector struct {
	Sketches []byte // where cores append the sketches of the windows that they put

	outputs []Output
	assign  []func(n uint64)
}

// Reset starts the next message.
func (c *Collector) Reset() {
	clear(c.assign)
	*c = Collector{Sketches: c.Sketches[:0], outputs: c.outputs[:0], assign: c.assign[:0]}
}

// Len is how many windows were put.
func (c *Collector) Len() int { return len(c.outputs) }

// Put adds a window. assign is told the entry that holds it, if it is the first
// revision of its part.
func (c *Collector) Put(w schemas.Window, local bool, assign func(n uint64)) {
	c.outputs = append(c.outputs, Output{Window: w, Local: local})
	c.assign = append(c.assign, assign)
}

// Into gives the sorted windows to the results.
func (c *Collector) Into(r *Results) {
	sort.Stable((*byKey)(c))
	r.Outputs = c.outputs
	r.Assign = func(i int, n uint64) { c.assign[i](n) }
}

// byKey orders by view, key and start: the order in which rows repeat the most.
type byKey Collector

func (c *byKey) Len() int { return len(c.outputs) }

func (c *byKey) Swap(i, j int) {
	c.outputs[i], c.outputs[j] = c.outputs[j], c.outputs[i]
	c.assign[i], c.assign[j] = c.assign[j], c.assign[i]
}

func (c *byKey) Less(i, j int) bool { return windowLess(&c.outputs[i].Window, &c.outputs[j].Window) }

func windowLess(a, b *schemas.Window) bool {
	if a.View != b.View {
		return a.View < b.View
	}
	if a.Key.Tenant != b.Key.Tenant {
		return a.Key.Tenant < b.Key.Tenant
	}
	for k := range min(len(a.Key.Values), len(b.Key.Values)) {
		if a.Key.Values[k] != b.Key.Values[k] {
			return a.Key.Values[k] < b.Key.Values[k]
		}
	}
	if a.Start != b.Start {
		return a.Start < b.Start
	}
	return a.End < b.End
}
