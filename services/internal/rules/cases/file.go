package cases

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"

	"weir/schemas"
)

// File is what somebody wrote.
type File struct {
	Policy string `yaml:"policy"` // a policy document, by its path from the file
	Rules  []any  `yaml:"rules"`  // or rules as a policy document has them
	Tenant string `yaml:"tenant"` // of items that name none; empty: default
	Items  []Item `yaml:"items"`
}

// Item is one item and what is expected to become of it.
type Item struct {
	Name     string         `yaml:"name"`
	Tenant   string         `yaml:"tenant"`
	Resource map[string]any `yaml:"resource"`
	Scope    string         `yaml:"scope"`
	Span     *Span          `yaml:"span"`
	Point    *Point         `yaml:"point"`
	Log      *Log           `yaml:"log"`

	Expect Outcome  `yaml:"expect"`
	By     string   `yaml:"by"`     // the rule that drops it; empty: any
	Failed []string `yaml:"failed"` // the rules that fail on it, in order
	After  *After   `yaml:"after"`  // what is kept
}

// Outcome is what becomes of an item.
type Outcome string

// The outcomes.
const (
	Kept    Outcome = "kept"
	Passed  Outcome = "passed" // kept, and passed through
	Dropped Outcome = "dropped"
)

// Span is a span in short.
type Span struct {
	Name       string         `yaml:"name"`
	Kind       string         `yaml:"kind"`
	Status     string         `yaml:"status"`
	Message    string         `yaml:"message"` // of the status
	Duration   string         `yaml:"duration"`
	TraceID    string         `yaml:"trace_id"`
	SpanID     string         `yaml:"span_id"`
	ParentID   string         `yaml:"parent_span_id"`
	Attributes map[string]any `yaml:"attributes"`
}

// Point is a data point in short.
type Point struct {
	Metric     string         `yaml:"metric"`
	Unit       string         `yaml:"unit"`
	Type       string         `yaml:"type"` // gauge or sum; empty: gauge
	Value      float64        `yaml:"value"`
	Attributes map[string]any `yaml:"attributes"`
}

// Log is a log record in short.
type Log struct {
	Body       any            `yaml:"body"`
	Severity   string         `yaml:"severity"`
	Attributes map[string]any `yaml:"attributes"`
}

// After is what an item is like when rules have kept it. What is left out may be
// anything; attributes are all of them.
type After struct {
	Name       *string        `yaml:"name"`
	Kind       *string        `yaml:"kind"`
	Status     *string        `yaml:"status"`
	Metric     *string        `yaml:"metric"`
	Unit       *string        `yaml:"unit"`
	Value      *float64       `yaml:"value"`
	Body       any            `yaml:"body"`
	Severity   *string        `yaml:"severity"`
	Attributes map[string]any `yaml:"attributes"`
	Resource   map[string]any `yaml:"resource"`
}

// Bounds of a file.
const (
	maxBytes = 4 << 20
	maxItems = 10_000
)

// Read reads a file and says what is wrong with it, by line where that is known.
func Read(data []byte) (*File, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("%d bytes: a file of cases may have %d", len(data), maxBytes)
	}
	f := &File{}
	if err := yaml.UnmarshalWithOptions(data, f, yaml.Strict()); err != nil {
		return nil, err
	}
	return f, f.check()
}

func (f *File) check() error {
	var errs []error
	if (f.Policy == "") == (f.Rules == nil) {
		errs = append(errs, errors.New("name a policy document or write rules, one of the two"))
	}
	if len(f.Items) == 0 || len(f.Items) > maxItems {
		errs = append(errs, fmt.Errorf("%d items: want 1 to %d", len(f.Items), maxItems))
	}
	if f.Tenant != "" {
		errs = append(errs, schemas.CheckName("tenant", f.Tenant))
	}
	for i := range f.Items {
		if err := f.Items[i].check(); err != nil {
			errs = append(errs, fmt.Errorf("items[%d] %q: %w", i, f.Items[i].Name, err))
		}
	}
	return errors.Join(errs...)
}

func (it *Item) check() error {
	kinds := 0
	for _, there := range [...]bool{it.Span != nil, it.Point != nil, it.Log != nil} {
		if there {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return errors.New("want a span, a point or a log, one of them")
	case it.Expect != Kept && it.Expect != Dropped && it.Expect != Passed:
		return fmt.Errorf("expect %q: want kept, dropped or passed", it.Expect)
	case it.Expect == Passed && it.Log == nil:
		return errors.New("only log records are passed through: expect kept or dropped")
	case it.Expect == Dropped && it.After != nil:
		return errors.New("what is dropped is not seen after: leave out after")
	case it.Expect != Dropped && it.By != "":
		return errors.New("by names the rule that drops an item: leave it out")
	}
	_, err := it.make()
	return err
}
