package schemas

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
)

// ParsePolicy makes the effective policy of a document, which may be partial:
// what it leaves out keeps its default, and views and limits change field by
// field. A null in an object counts as left out. The error is a *PolicyError
// with all problems.
func ParsePolicy(document []byte) (*Policy, error) {
	tree, err := parseTree(document)
	if err != nil {
		return nil, err
	}
	p, b := DefaultPolicy(), &binder{}
	b.value("", mergePatch(nil, tree), reflect.ValueOf(p).Elem())
	b.overrides(p)
	if len(b.problems) == 0 {
		b.problems = p.check(b.where)
	}
	if err := asError(b.problems); err != nil {
		return nil, err
	}
	return p, nil
}

// binder writes a tree over values of Go types, strictly, and collects what
// does not fit. Only what the tree holds is written.
type binder struct {
	problems []Problem
	where    map[viewPlace]string // the path of a view in the document
}

// viewPlace tells apart views of one name: those of the document and those of
// overrides, by their path.
type viewPlace struct{ scope, name string }

func (b *binder) refuse(path string, v any, want string) {
	b.problems = append(b.problems, Problem{Path: path, Value: short(v), Want: want})
}

// chooser is a string type with a closed list of values.
type chooser interface{ choices() []string }

func (ViewKind) choices() []string { return []string{string(Gauge), string(Counter)} }

func (Uplink) choices() []string {
	return []string{string(UplinkNone), string(UplinkRegion), string(UplinkCenter)}
}

func (PayloadFormat) choices() []string {
	return []string{string(FormatAuto), string(FormatJSON), string(FormatMsgpack)}
}

func (b *binder) value(path string, v any, into reflect.Value) {
	switch to := into.Addr().Interface().(type) {
	case *Views:
		b.views(path, v, to)
		return
	case *Override:
		b.override(path, v, to)
		return
	case *Exporters:
		b.exporters(path, v, to)
		return
	case *Receivers:
		b.receivers(path, v, to)
		return
	case *ItemRules:
		b.itemRules(path, v, to)
		return
	case *MetricSets:
		b.metricSets(path, v, to)
		return
	case encoding.TextUnmarshaler:
		b.text(path, v, to)
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		b.object(path, v, into)
	case reflect.Map:
		b.mapping(path, v, into)
	case reflect.Pointer:
		b.pointer(path, v, into)
	case reflect.Slice:
		b.slice(path, v, into)
	case reflect.String:
		b.word(path, v, into)
	case reflect.Bool:
		b.boolean(path, v, into)
	case reflect.Int:
		b.integer(path, v, into)
	case reflect.Float64:
		b.number(path, v, into)
	default:
		panic("BUG: policy field of type " + into.Type().String())
	}
}

func (b *binder) text(path string, v any, to encoding.TextUnmarshaler) {
	s, ok := v.(string)
	if n, isNumber := v.(json.Number); isNumber {
		s = n.String() // the unit is missing, and the error says so
	} else if !ok {
		b.refuse(path, v, "want text in quotes")
		return
	}
	if err := to.UnmarshalText([]byte(s)); err != nil || !ok {
		if err == nil { // the number 0
			err = fmt.Errorf("write it in quotes, with its unit")
		}
		b.refuse(path, v, err.Error())
	}
}

func (b *binder) object(path string, v any, into reflect.Value) {
	tree, ok := v.(map[string]any)
	if !ok {
		b.refuse(path, v, "want an object")
		return
	}
	fields := fieldsOf(into.Type())
	for _, key := range sortedKeys(tree) {
		if index, known := fields[key]; known {
			b.value(join(path, key), tree[key], into.FieldByIndex(index))
			continue
		}
		b.unknown(join(path, key), key, sortedKeys(fields))
	}
}

func (b *binder) unknown(path, key string, known []string) {
	want := "there is no such field"
	if guess := nearest(key, known); guess != "" {
		want += ": did you mean " + guess + "?"
	} else {
		want += "; the fields here are " + strings.Join(known, ", ")
	}
	b.problems = append(b.problems, Problem{Path: path, Want: want})
}

// fieldsOf are the JSON names of a struct's fields, those of embedded structs included.
func fieldsOf(t reflect.Type) map[string][]int {
	fields := map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && f.IsExported() {
			fields[name] = f.Index
		}
	}
	return fields
}

func (b *binder) mapping(path string, v any, into reflect.Value) {
	tree, ok := v.(map[string]any)
	if !ok {
		b.refuse(path, v, "want an object")
		return
	}
	out := reflect.MakeMap(into.Type())
	for _, key := range sortedKeys(tree) {
		element := reflect.New(into.Type().Elem()).Elem()
		b.value(join(path, key), tree[key], element)
		out.SetMapIndex(reflect.ValueOf(key), element)
	}
	into.Set(out)
}

func (b *binder) slice(path string, v any, into reflect.Value) {
	list, ok := v.([]any)
	if !ok {
		b.refuse(path, v, "want an array")
		return
	}
	out := reflect.MakeSlice(into.Type(), len(list), len(list))
	for i := range list {
		b.value(fmt.Sprintf("%s[%d]", path, i), list[i], out.Index(i))
	}
	into.Set(out)
}

func (b *binder) word(path string, v any, into reflect.Value) {
	s, ok := v.(string)
	if !ok {
		b.refuse(path, v, "want text in quotes")
		return
	}
	if c, closed := into.Interface().(chooser); closed && !slices.Contains(c.choices(), s) {
		b.refuse(path, v, "want "+oneOf(c.choices()))
		return
	}
	into.SetString(s)
}

func (b *binder) boolean(path string, v any, into reflect.Value) {
	set, ok := v.(bool)
	if !ok {
		b.refuse(path, v, "want true or false")
		return
	}
	into.SetBool(set)
}

func (b *binder) integer(path string, v any, into reflect.Value) {
	n, ok := v.(json.Number)
	i, err := n.Int64()
	if !ok || err != nil || i < math.MinInt32 || i > math.MaxInt32 {
		b.refuse(path, v, "want a whole number")
		return
	}
	into.SetInt(i)
}

func (b *binder) number(path string, v any, into reflect.Value) {
	n, ok := v.(json.Number)
	f, err := n.Float64()
	if !ok || err != nil {
		b.refuse(path, v, "want a number")
		return
	}
	into.SetFloat(f)
}

// views binds each entry over the view of its name, or over a new one.
func (b *binder) views(path string, v any, into *Views) {
	list, ok := v.([]any)
	if !ok {
		b.refuse(path, v, "want an array of views")
		return
	}
	scope := strings.TrimSuffix(path, "views")
	seen := map[string]bool{}
	for i := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		entry, ok := list[i].(map[string]any)
		if !ok {
			b.refuse(at, list[i], "want an object")
			continue
		}
		name, ok := entry["name"].(string)
		if !ok {
			b.problems = append(b.problems, Problem{Path: at + ".name", Want: "a view needs a name"})
			continue
		}
		if seen[name] {
			b.refuse(at+".name", name, "another view of this list has that name: join them or choose another name")
			continue
		}
		seen[name] = true
		if b.where == nil {
			b.where = map[viewPlace]string{}
		}
		b.where[viewPlace{scope, name}] = at
		view := into.Named(name)
		if view == nil {
			*into = append(*into, newView(name))
			view = &(*into)[len(*into)-1]
		}
		b.view(at, entry, view)
	}
}

func (b *binder) view(path string, entry map[string]any, into *View) {
	b.value(path, mergePatch(nil, entry), reflect.ValueOf(into).Elem())
	if _, sized := entry["size"]; sized && entry["hop"] == nil {
		into.Hop = into.Size
	}
}

// override keeps a part of a document for later; see overrides.
func (b *binder) override(path string, v any, into *Override) {
	tree, ok := v.(map[string]any)
	if !ok {
		b.refuse(path, v, "want an object with views, detect, limits or payload_format")
		return
	}
	into.patch = tree
}

// overrides binds every override once, so that its problems are found.
func (b *binder) overrides(p *Policy) {
	each := func(kind string, all map[string]Override) {
		for _, name := range sortedKeys(all) {
			path := join(kind, name)
			if !ValidName(name) {
				b.problems = append(b.problems, Problem{Path: path, Want: fmt.Sprintf("the name %.80q: use 1 to %d letters, digits, '-' or '_'", name, MaxNameLen)})
			}
			r := p.Rules
			r.Views = r.Views.clone()
			b.rules(&r, path, all[name])
			b.wholeProcess(path, all[name])
			b.detectSeries(path, all[name])
		}
	}
	each("classes", p.Classes)
	each("tenants", p.Tenants)
}

// rules binds overrides over rules, in order.
func (b *binder) rules(r *Rules, path string, overrides ...Override) {
	for _, o := range overrides {
		if o.patch != nil {
			b.value(path, o.patch, reflect.ValueOf(r).Elem())
		}
	}
}

// wholeProcess refuses limits that cannot differ by tenant or class.
func (b *binder) wholeProcess(path string, o Override) {
	limits, _ := o.patch["limits"].(map[string]any)
	for _, name := range [...]string{"tenants", "devices", "connections"} {
		if v, there := limits[name]; there {
			b.refuse(join(path, "limits."+name), v, "it holds for the whole process: set it in the document's own limits")
		}
	}
}
