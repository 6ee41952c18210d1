// Package cases tries rules on items that somebody wrote down, and compares what
// becomes of them with what is expected.
//
//	f, err := cases.Read(data)         // YAML or JSON
//	results := f.Run(program)          // one for each item, in order
//
// In: a file as docs/rules.md describes it. Out: for each item whether it was as
// expected, and each field that was not. An unknown field is an error.
//
// Limits: an item stands alone, with a resource and a scope of its own; points are
// gauges and sums.
package cases
