package run

import (
	"context"
	"errors"
)

// Canceled reports whether an error says that somebody has asked for the end, and
// nothing else: of several errors in one, each must.
func Canceled(err error) bool {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			if !Canceled(one) {
				return false
			}
		}
		return true
	case interface{ Unwrap() error }:
		return Canceled(e.Unwrap())
	default:
		return errors.Is(err, context.Canceled)
	}
}
