package rules

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottldatapoint"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottllog"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspan"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/ottlfuncs"
	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"weir/schemas"
)

// Program is what rules were compiled to. It is never written to.
type Program struct {
	rules  []schemas.ItemRule
	spans  []step[*ottlspan.TransformContext]
	points []step[*ottldatapoint.TransformContext]
	logs   []step[*ottllog.TransformContext]
}

// Fault is why a condition or a statement cannot be compiled.
type Fault struct {
	Path         string // in the policy document, such as rules[0].statements[1]
	Line, Column int    // within the text, both from 1
	Why          string
}

// CompileError says everything that cannot be compiled.
type CompileError struct{ Faults []Fault }

func (e *CompileError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = fmt.Sprintf("%s, line %d, column %d: %s", f.Path, f.Line, f.Column, f.Why)
	}
	return "compile rules: " + strings.Join(lines, "\n  ")
}

// Compile makes a program of the rules of a valid policy; nil without rules. The
// error is a *CompileError.
func Compile(rules schemas.ItemRules) (*Program, error) {
	if len(rules) == 0 {
		return nil, nil
	}
	c := newCompiler()
	p := &Program{rules: rules}
	for i := range rules {
		switch rules[i].On {
		case schemas.OnSpans:
			p.spans = append(p.spans, compile(&c, c.spans, rules, i))
		case schemas.OnPoints:
			p.points = append(p.points, compile(&c, c.points, rules, i))
		case schemas.OnLogs:
			p.logs = append(p.logs, compile(&c, c.logs, rules, i))
		}
	}
	if len(c.faults) > 0 {
		return nil, &CompileError{c.faults}
	}
	return p, nil
}

// compiler has the parsers of OTTL and collects faults.
type compiler struct {
	spans  ottl.Parser[*ottlspan.TransformContext]
	points ottl.Parser[*ottldatapoint.TransformContext]
	logs   ottl.Parser[*ottllog.TransformContext]
	faults []Fault
}

func newCompiler() compiler {
	quiet := component.TelemetrySettings{Logger: zap.NewNop()}
	spans, err1 := ottlspan.NewParser(functionsOf(ottlfuncs.NewIsRootSpanFactory()), quiet)
	points, err2 := ottldatapoint.NewParser(functionsOf[*ottldatapoint.TransformContext](), quiet)
	logs, err3 := ottllog.NewParser(functionsOf[*ottllog.TransformContext](), quiet)
	for _, err := range [...]error{err1, err2, err3} {
		if err != nil {
			panic(fmt.Sprintf("BUG: make a parser of OTTL: %v", err)) // it wants a logger, and has one
		}
	}
	return compiler{spans: spans, points: points, logs: logs}
}

// compile makes the step of a rule.
func compile[K any](c *compiler, parser ottl.Parser[K], rules schemas.ItemRules, i int) step[K] {
	r := &rules[i]
	s := step[K]{rule: i, action: r.Action, dropsFailed: r.OnError == schemas.FailedDropped}
	for j, text := range r.Conditions {
		path := fmt.Sprintf("rules[%d].conditions[%d]", i, j)
		condition, err := parser.ParseCondition(text)
		if err != nil {
			c.fault(path, err)
		}
		s.conditions = append(s.conditions, condition)
	}
	for j, text := range r.Statements {
		path := fmt.Sprintf("rules[%d].statements[%d]", i, j)
		statement, err := parser.ParseStatement(text)
		switch {
		case err != nil:
			c.fault(path, err)
		case r.On == schemas.OnPoints:
			c.whole(path, text)
		}
		s.statements = append(s.statements, statement)
	}
	return s
}

// placed is how OTTL begins an error whose place it knows.
var placed = regexp.MustCompile(`^(\d+):(\d+): `)

// fault notes an error of OTTL.
func (c *compiler) fault(path string, err error) {
	f := Fault{Path: path, Line: 1, Column: 1, Why: err.Error()}
	if m := placed.FindStringSubmatch(f.Why); m != nil {
		f.Line, _ = strconv.Atoi(m[1]) // digits
		f.Column, _ = strconv.Atoi(m[2])
		f.Why = f.Why[len(m[0]):]
	}
	c.faults = append(c.faults, f)
}

// listOfPoints is the path of all points of a metric, and texts, in which it says
// nothing.
var listOfPoints = regexp.MustCompile(`"(?:\\.|[^\\"])*"|\bdata_points\b`)

// whole refuses a statement that could add points to a metric or take some away,
// which nobody would count.
func (c *compiler) whole(path, text string) {
	for _, at := range listOfPoints.FindAllStringIndex(text, -1) {
		if text[at[0]] != '"' {
			before := text[:at[0]]
			c.faults = append(c.faults, Fault{
				Path: path, Line: 1 + strings.Count(before, "\n"), Column: 1 + len([]rune(before[strings.LastIndexByte(before, '\n')+1:])),
				Why: "a rule on points sees one point: data_points cannot be used",
			})
			return
		}
	}
}
