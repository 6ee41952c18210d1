package main

import (
	"strings"
	"testing"

	"weir/pkg/detect"
	"weir/simulator/plan"
)

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

// TestDemoPump: the relation of its metrics breaks, and each time that is found as policy has it, within two seconds.
func TestDemoPump(t *testing.T) {
	s, err := compileDetection([]byte(demoPolicy))
	if err != nil {
		t.Fatal(err)
	}
	rules := s.Rules(demoTenant, s.ClassOf(plan.PumpName))
	if len(rules.Joint) != 1 || strings.Join(rules.Joint[0], " ") != "flow pressure" {
		t.Fatalf("groups %v", rules.Joint)
	}
	joint, err := detect.NewJoint(rules.Joint[0], detect.Config{Budget: rules.Budget / 2})
	if err != nil {
		t.Fatal(err)
	}
	breaks, found := 0, false
	for n := range int64(4 * 3600) {
		flow, pressure := plan.Pump(n)
		if flow < 37 || flow > 43 || pressure < 3.69 || pressure > 4.31 {
			t.Fatalf("flow %g, pressure %g in second %d", flow, pressure, n)
		}
		flag := joint.Update(detect.VectorSample{Time: n * 1e9, Values: []float64{flow, pressure}, Completeness: 1}).Flag
		switch begins := plan.PumpBroken(n) && !plan.PumpBroken(n-1); {
		case begins:
			breaks, found = breaks+1, flag
		case plan.PumpBroken(n) && !found && (plan.PumpBroken(n-2) || flag):
			if found = flag; !found {
				t.Fatalf("the relation that breaks in second %d is not found", n-2)
			}
		case flag:
			t.Errorf("second %d is as usual, and a finding", n)
		}
	}
	if breaks != 8 {
		t.Errorf("the relation broke %d times", breaks)
	}
}
