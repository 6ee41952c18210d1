package verify

import "fmt"

// OptionsError says that something cannot start as asked: a usage error.
type OptionsError struct{ Err error }

func (e *OptionsError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *OptionsError) Unwrap() error { return e.Err }

// UnreachableError says that the product does not answer at an address.
type UnreachableError struct {
	Addr string
	Err  error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("nothing answers at %s: %v; is weir up running?", e.Addr, e.Err)
}

// Unwrap returns what happened last.
func (e *UnreachableError) Unwrap() error { return e.Err }

// NotEqualError says that the product does not hold what the truth says.
type NotEqualError struct{ Differences int64 }

func (e *NotEqualError) Error() string {
	if e.Differences == 1 {
		return "not equal: 1 difference from the truth"
	}
	return fmt.Sprintf("not equal: %d differences from the truth", e.Differences)
}
