package schemas

import "testing"

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
