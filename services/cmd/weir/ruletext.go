package main

import (
	"errors"
	"fmt"

	"weir/schemas"
	"weir/services/internal/rules"
)

// compiles says which rules of a layer cannot be compiled, by line and column of the
// layer. What else is wrong with it is for others to say.
func compiles(layer []byte) error {
	_, err := rules.Compile(schemas.RulesOf(layer))
	bad, is := errors.AsType[*rules.CompileError](err)
	if !is {
		return err
	}
	var all schemas.PolicyError
	for _, f := range bad.Faults {
		all.Problems = append(all.Problems, schemas.Problem{Path: f.Path, Want: placed(layer, f)})
	}
	return &all
}

// placed is a fault and where it is in the document that somebody wrote.
func placed(layer []byte, f rules.Fault) string {
	line, column, found := schemas.PlaceOf(layer, f.Path, f.Line, f.Column)
	if !found {
		return fmt.Sprintf("line %d, column %d of the text: %s", f.Line, f.Column, f.Why)
	}
	return fmt.Sprintf("line %d, column %d: %s", line, column, f.Why)
}
