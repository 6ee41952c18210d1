package verify

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Options say what to verify, and where.
type Options struct {
	Truth   []string      // files of runs; they may share tenants
	HTTP    string        // the product's HTTP address, host:port or URL
	Timeout time.Duration // for the product to account for everything; default 120 s
	Final   bool          // every window must be final

	// LateAllowed accepts a device window that lacks readings which the product
	// calls late, though the truth does not: devices that were cut off for longer
	// than the allowed lateness may cause that. They must be in the late totals.
	LateAllowed bool
}

func (o Options) check() error {
	var errs []error
	if len(o.Truth) == 0 {
		errs = append(errs, errors.New("name at least one truth file"))
	}
	if o.HTTP == "" {
		errs = append(errs, errors.New("name the HTTP address of the product"))
	}
	if o.Timeout < 0 {
		errs = append(errs, fmt.Errorf("timeout %v: use 0 or more", o.Timeout))
	}
	return errors.Join(errs...)
}

func (o Options) url() string {
	if strings.Contains(o.HTTP, "://") {
		return strings.TrimSuffix(o.HTTP, "/")
	}
	return "http://" + strings.TrimSuffix(o.HTTP, "/")
}
