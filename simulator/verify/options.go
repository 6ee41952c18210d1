package verify

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Options say what to verify, and where.
type Options struct {
	Truth   []string      // files of runs; they may share tenants
	HTTP    string        // the product's HTTP address, host:port or URL; where tiers run apart, the center's
	Regions []string      // likewise the regions', where they run apart; none: HTTP has them
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

// product is what is asked.
func (o Options) product(client *http.Client) *product {
	p := &product{base: address(o.HTTP), client: client}
	for _, r := range o.Regions {
		p.regions = append(p.regions, address(r))
	}
	return p
}

func address(text string) string {
	if strings.Contains(text, "://") {
		return strings.TrimSuffix(text, "/")
	}
	return "http://" + strings.TrimSuffix(text, "/")
}
