package main

import (
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"

	"weir/schemas"
)

// This file refuses what documents may say but the services of this program do
// not do, so that nobody waits for something that never comes.

// maxOwners bounds how many pairs of a tenant and a class a document may name.
const maxOwners = 10_000

// offered says what of a valid document is not offered.
func offered(p *schemas.Policy) error {
	var all refusals
	if n := (1 + len(p.Tenants)) * (1 + len(p.Classes)); n > maxOwners {
		all.add("tenants", n, "with the classes they make more than %d pairs: name fewer of either", maxOwners)
		return all.err()
	}
	all.detectors(p)
	common := map[string]fixed{}
	for _, s := range slices.Backward(scopesOf(p)) { // everybody first
		for name, v := range fixedOf(s) {
			first, known := common[name]
			if known && reflect.DeepEqual(first.View, v.View) {
				continue
			}
			all.view(v)
			if !known {
				common[name] = v
				continue
			}
			const why = "what a view is holds for all tenants and classes"
			all.differ(first, v, why)
			all.differs(v.path+".publish", first.Publish, v.Publish, first, why)
		}
	}
	return all.err()
}

// agreePolicies says in what the document of one agent may not differ from that
// of others: what holds for the whole process, and what makes windows fit to be
// merged.
func agreePolicies(others, one []byte) error {
	return agree(others, one, (*refusals).limits, (*refusals).views)
}

// agreeViews says in what views may not differ: windows of all agents are merged.
func agreeViews(others, one []byte) error { return agree(others, one, (*refusals).views) }

// agree looks at two documents by some rules.
func agree(others, one []byte, rules ...func(r *refusals, o, p *schemas.Policy)) error {
	o, err := schemas.ParsePolicy(others)
	if err != nil {
		return err
	}
	p, err := schemas.ParsePolicy(one)
	if err != nil {
		return err
	}
	var all refusals
	for _, rule := range rules {
		rule(&all, o, p)
	}
	return all.err()
}

// limits refuses limits of p that hold for the whole process and are not those of o.
func (r *refusals) limits(o, p *schemas.Policy) {
	for _, l := range [...]struct {
		name      string
		want, got int
	}{{"tenants", o.Limits.Tenants, p.Limits.Tenants}, {"connections", o.Limits.Connections, p.Limits.Connections}} {
		if l.got != l.want {
			r.add("limits."+l.name, l.got, "it holds for the whole process, and other agents have %d: set it in the document default", l.want)
		}
	}
}

// views refuses views of p that do not go with those of o.
func (r *refusals) views(o, p *schemas.Policy) {
	common := map[string]fixed{}
	for _, s := range scopesOf(o) {
		maps.Insert(common, fixedOf(s))
	}
	for _, s := range slices.Backward(scopesOf(p)) {
		for name, v := range fixedOf(s) {
			if first, known := common[name]; known {
				r.differ(first, v, "windows of all agents are merged")
			}
		}
	}
}

// fixed is a view, part of which is fixed for all views of its name.
type fixed struct {
	path string // where it is written
	*schemas.View
}

// fixedOf are the views of a scope by name.
func fixedOf(s scope) iter.Seq2[string, fixed] {
	return func(yield func(string, fixed) bool) {
		path := s.path()
		for i := range s.views {
			v := &s.views[i]
			if !yield(v.Name, fixed{fmt.Sprintf("%sviews[%q]", path, v.Name), v}) {
				return
			}
		}
	}
}

// path is where the views of a scope are written; empty for everybody's.
func (s scope) path() string {
	var paths []string
	for o := range s.owners {
		switch {
		case o == owner{}:
			return ""
		case o.class == "":
			paths = append(paths, "tenants."+o.tenant+".")
		case o.tenant == "":
			paths = append(paths, "classes."+o.class+".")
		default:
			paths = append(paths, "tenants."+o.tenant+" with classes."+o.class+".")
		}
	}
	return slices.MinFunc(paths, func(a, b string) int {
		if n := strings.Count(a, " ") - strings.Count(b, " "); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
}

// refusals collects what is refused.
type refusals struct{ schemas.PolicyError }

func (r *refusals) add(path string, value any, format string, args ...any) {
	p := schemas.Problem{Path: path, Value: fmt.Sprint(value), Want: fmt.Sprintf(format, args...)}
	if !slices.Contains(r.Problems, p) {
		r.Problems = append(r.Problems, p)
	}
}

func (r *refusals) err() error {
	if len(r.Problems) == 0 {
		return nil
	}
	return &r.PolicyError
}

// view refuses what no view can have.
func (r *refusals) view(v fixed) {
	if v.Publish && v.Uplink == schemas.UplinkNone {
		r.add(v.path+".publish", v.Publish, "with the uplink none no gateway has windows to publish: want the uplink region or center")
	}
}

// differ refuses what may not differ between views of one name.
func (r *refusals) differ(first, v fixed, why string) {
	r.differs(v.path+".group_by", first.GroupBy, v.GroupBy, first, why)
	r.differs(v.path+".kind", first.Kind, v.Kind, first, why)
	r.differs(v.path+".uplink", first.Uplink, v.Uplink, first, why)
}

func (r *refusals) differs(path string, want, got any, first fixed, why string) {
	if !reflect.DeepEqual(want, got) {
		r.add(path, got, "%s, so it is %v as in %s: change it there, or add a view of another name", why, want, first.path)
	}
}
