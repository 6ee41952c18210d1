package simulator

import (
	"context"
	"io"

	"weir/simulator/verify"
)

// The verifier's types, and the errors that it shares with Run.
type (
	VerifyOptions    = verify.Options
	Report           = verify.Report
	OptionsError     = verify.OptionsError
	UnreachableError = verify.UnreachableError
	NotEqualError    = verify.NotEqualError
)

// Verify compares what a product holds with the truth files of runs. See
// package verify.
func Verify(ctx context.Context, o VerifyOptions, out io.Writer) (Report, error) {
	return verify.Verify(ctx, o, out)
}
