// Package rules drops and changes what comes over OTLP, as policy says: spans, data
// points of metrics, and log records, of which it chooses those that are passed through.
//
//	p, err := rules.Compile(policy.ItemRules) // *CompileError: each with line and column
//	run := p.For(tenant)                      // of one request
//	if why := run.Span(rs, ss, span); why != "" { … it is dropped … }
//	run.Counts()                              // what each rule did
//
// In: rules with conditions and statements in OTTL, the OpenTelemetry
// Transformation Language, and items as pdata has them. Out: for each item whether
// it goes on, and why not; statements change items in place.
//
// Rules apply to an item in their order, until one drops it. A rule fails on an item
// if a condition or statement of it returns an error or panics: the item is then
// kept as it is at that moment, or dropped, as the rule says, and the failure is
// counted.
//
// Promises: the same items and rules give the same result; there is no clock, no
// chance and nothing that is kept from one item to the next. Each item has exactly
// one verdict. A program may be used by many goroutines, each with runs of its own.
//
// Limits: of OTTL's functions those in functions.go, which neither ask for the time
// nor make anything up. Patterns are fixed when the rule is compiled, and Go's
// regular expressions take linear time. A value that a rule sets has at most
// 64 KiB. An item of a resource sees what earlier items of it have changed
// in the resource.
package rules
