package schemas

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestMetricFacts: the exact name counts, else the longest pattern; a class changes
// what it names and keeps the rest.
func TestMetricFacts(t *testing.T) {
	p, err := ParsePolicy([]byte(`{"detect": {"metrics": {"temp*": {"min": 0, "max": 90}, "temp": {"max": 80}, "*": {"max": 1000}}},
		"classes": {"oven": {"detect": {"silent_after": "5m", "metrics": {"temp*": {"max": 400}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	f := func(class, metric string, most float64, bounded bool) {
		t.Helper()
		got := p.For("acme", class).Detect.Metrics.Of(metric)
		if got == nil || *got.Max != most || (got.Min != nil) != bounded {
			t.Errorf("%s of class %q: %+v, want at most %g, bounded below: %v", metric, class, got, most, bounded)
		}
	}
	f("", "temp", 80, false)
	f("", "temp_2", 90, true)
	f("", "load", 1000, false)
	f("oven", "temp", 80, false)
	f("oven", "temp_2", 400, true)
	if p.Detect.SilentAfter != 30*second || p.For("acme", "oven").Detect.SilentAfter != 5*minute {
		t.Errorf("silent after %v, ovens after %v", p.Detect.SilentAfter, p.For("acme", "oven").Detect.SilentAfter)
	}
	if got := (MetricSets{"a": {}}).Of("b"); got != nil {
		t.Errorf("an unknown metric has %+v", got)
	}
}

// TestJointMetrics: a list of groups takes the place of the one before, and each problem has its field.
func TestJointMetrics(t *testing.T) {
	p, err := ParsePolicy([]byte(`{"detect": {"joint": [{"metrics": ["flow", "pressure"]}, {"metrics": ["volt", "flow"]}]},
		"classes": {"oven": {"detect": {"joint": [{"metrics": ["temp", "power"]}]}}, "dull": {"detect": {"joint": []}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	f := func(class string, want ...string) {
		t.Helper()
		var got []string
		for _, g := range p.For("acme", class).Detect.Joint {
			got = append(got, JointName(g.Metrics))
		}
		if !slices.Equal(got, want) {
			t.Errorf("class %q has the groups %v, want %v", class, got, want)
		}
	}
	f("", "flow+pressure", "volt+flow")
	f("oven", "temp+power")
	f("dull")
}

func TestJointMetricsRefused(t *testing.T) {
	f := func(groups, path string) {
		t.Helper()
		_, err := ParsePolicy([]byte(`{"classes": {"pump": {"detect": {"joint": ` + groups + `}}}}`))
		var problems *PolicyError
		if !errors.As(err, &problems) || len(problems.Problems) != 1 || problems.Problems[0].Path != "classes.pump.detect.joint"+path {
			t.Errorf("%s: %v, want one problem at %s", groups, err, path)
		}
	}
	many := func(n int) string {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("%q", "m"+strconv.Itoa(i)))
		}
		return `{"metrics": [` + strings.Join(names, ",") + `]}`
	}
	f(`{}`, "")
	f(`[{"metrics": ["flow"]}]`, "[0].metrics")
	f(`[{}]`, "[0].metrics")
	f(`[`+many(17)+`]`, "[0].metrics")
	f(`[{"metrics": ["flow", "press*"]}]`, "[0].metrics[1]")
	f(`[{"metrics": ["flow", "volt", "flow"]}]`, "[0].metrics[2]")
	f(`[`+many(16)+`, {"metrics": ["flow", 3]}]`, "[1].metrics[1]")
	f(`[{"metrics": ["flow", "volt"]}, {"metrics": ["volt", "flow"]}]`, "[1].metrics")
	f(`[{"metrics": ["flow", "volt"], "budget": 3}]`, "[0].budget")
	var groups []string
	for i := range MaxJoint + 1 {
		groups = append(groups, fmt.Sprintf(`{"metrics": ["a", "b%d"]}`, i))
	}
	f(`[`+strings.Join(groups, ",")+`]`, "")
}
