package main

import "testing"

// TestDemoPolicy: what demo devices do wrong with their values is against a rule, what they usually do is not.
func TestDemoPolicy(t *testing.T) {
	if err := checkDefault([]byte(demoPolicy)); err != nil {
		t.Fatal(err)
	}
	whole, err := language.Merge(language.BuiltIn, []byte(demoPolicy))
	if err != nil {
		t.Fatal(err)
	}
	s, err := compileDetection(whole)
	if err != nil {
		t.Fatal(err)
	}
	const (
		highest, fastest = 37, 1  // of the values of simulator/plan without trouble, and of their change in a second
		spike, step      = 71, 20 // the lowest spike, and a step
	)
	m := s.Rules(demoTenant, s.ClassOf("x")).Metric("temp")
	if m.High == nil || *m.High <= highest || *m.High >= spike || m.MaxRate <= fastest || m.MaxRate >= step {
		t.Errorf("rules %+v for values up to %d that change by %d, with spikes from %d and steps of %d", m, highest, fastest, spike, step)
	}
	if other := s.Rules("acme", s.ClassOf("x")).Metric; other != nil && other("temp").High != nil {
		t.Error("the devices of others have a limit")
	}
}
