// Package planted builds the product with its sources changed for a test, while
// the sources themselves stay clean: go build -overlay.
//
//	path, err := planted.Build(planted.Options{Root: root, Dir: dir, Patches: planted.StepClock()})
//	for _, bug := range planted.Bugs() { … bug.Patches … }
//
// In: patches, each a text of a file and what stands in its place. Out: a binary.
//
// Promises: a text that a patch replaces must be in its file exactly once, else
// nothing is built: a patch whose text is gone is an error, never a product without
// the change. Files of the project and of the standard library are only read.
//
// Limits: an overlay of package time makes the go command build the whole standard
// library once more, about two minutes on two cores; it then comes from its cache.
package planted
