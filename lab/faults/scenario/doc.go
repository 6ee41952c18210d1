// Package scenario reads what the fault harness is to do and works out when: the
// pure part of it.
//
//	s, err := scenario.Read("kills.yaml", data)   // strict: what it does not know is an error, with line and column
//	steps := s.Plan(seed)                         // what happens to whom and when: a function of scenario and seed
//
// In: YAML text and a seed. Out: a Scenario, and its Steps in the order of time.
//
// Promises: a plan depends on nothing but its arguments. It has as many faults as
// the scenario asks for; each is aimed at something that the scenario has, two
// faults of one kind of harm never overlap on one target, and each fault that
// lasts ends.
//
// Limits: a fault that finds its target busy waits until it is free, so a crowded
// schedule may last longer than the scenario's duration.
package scenario
