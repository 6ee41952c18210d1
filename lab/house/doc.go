// Package house keeps the conventions of the project as rules that run as tests.
//
// In: the files below the folder of go.work. Out: findings; each names a place, says what is wrong there
// and, through its rule, why anybody should care.
//
// Promises: a rule applies to what exists, so a folder that is not written yet breaks nothing; every rule has a
// small fake project in the tests of this package that violates it; all files are read in this process and none
// through a go command, so that `go test -count=1` sees every module as it is now.
//
// Limits: Go files are parsed, not type-checked. A call is recognized by the import that its file names, so an
// alias is followed and a function value handed over through a variable is not.
//
// A new convention is one more row: imports.go says who may import whom, cores.go which files are pure and what
// purity excludes, and rules.go lists all rules.
package house
