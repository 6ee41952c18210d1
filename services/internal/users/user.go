package users

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"golang.org/x/crypto/bcrypt"

	"weir/schemas"
)

// User is somebody who may connect: a device, or whoever links from below.
type User struct {
	Name string
	Hash string // bcrypt

	// Of a device: what it may speak for. Empty is any.
	Tenant, Device string

	// Link is the name of the agent or the region that may link as this user;
	// empty: it is a device. Region is the one that it links to.
	Link, Region string
}

// Fields of an entry.
const (
	fieldName     = "name"
	fieldPassword = "password"
	fieldTenant   = "tenant"
	fieldDevice   = "device"
	fieldAgent    = "agent"
	fieldRegion   = "region"
	fieldGateway  = "gateway"
)

var allFields = []string{fieldName, fieldPassword, fieldTenant, fieldDevice, fieldAgent, fieldRegion, fieldGateway}

// reserved are the names of the server's own users.
var reserved = []string{"service", "operator", "anon"}

var goodName = regexp.MustCompile(`^[A-Za-z0-9_.@-]{1,128}$`)

// A hash of more than highCost takes long enough that a fleet which comes back
// waits for it; maxCost would stop one processor for a second.
const (
	highCost = 11
	maxCost  = 14
)

// user is what the entry says, if it says it right.
func (e entry) user() (u User, warning string, err error) {
	u = User{Name: e.fields[fieldName], Hash: e.fields[fieldPassword]}
	if err := e.check(); err != nil {
		return u, "", err
	}
	cost, err := costOf(u)
	if err != nil {
		return u, "", fmt.Errorf("user %q: %w", u.Name, err)
	}
	if err := e.rights(&u); err != nil {
		return u, "", fmt.Errorf("user %q: %w", u.Name, err)
	}
	switch {
	case u.Link == "" && u.Tenant == "":
		warning = fmt.Sprintf("user %q may speak for every device of every tenant: name a tenant if that is not wanted", u.Name)
	case u.Link == "" && cost > highCost:
		warning = fmt.Sprintf("user %q: bcrypt cost %d takes long where many devices come back at once: 10 is plenty", u.Name, cost)
	}
	return u, warning, nil
}

// check looks at the form of the entry and at its name.
func (e entry) check() error {
	name := e.fields[fieldName]
	switch {
	case e.err != nil:
		return e.err
	case name == "":
		return errors.New("an entry without a name: every user has one")
	case !goodName.MatchString(name):
		return fmt.Errorf("user name %.130q: use 1 to 128 letters, digits, '-', '_', '.' or '@'", name)
	case slices.Contains(reserved, name):
		return fmt.Errorf("user %q: the name is the server's own, take another", name)
	}
	for field, value := range e.fields {
		switch {
		case !slices.Contains(allFields, field):
			return fmt.Errorf("user %q: %.40q is not a field: there are %v", name, field, allFields)
		case value == "" && field != fieldPassword:
			return fmt.Errorf("user %q: %s is empty: leave it out to grant any, or give it a value", name, field)
		}
	}
	return nil
}

// costOf is the cost of a user's hash, which must be one.
func costOf(u User) (int, error) {
	if len(u.Hash) == 0 {
		return 0, fmt.Errorf("no password: %s", howTo(u.Name))
	}
	cost, err := bcrypt.Cost([]byte(u.Hash))
	if err != nil || len(u.Hash) != 60 {
		return 0, fmt.Errorf("the password is not a bcrypt hash: %s", howTo(u.Name))
	}
	if cost > maxCost {
		return 0, fmt.Errorf("bcrypt cost %d: want at most %d, each connection would take seconds", cost, maxCost)
	}
	return cost, nil
}

// howTo is the command that makes an entry.
func howTo(name string) string {
	return fmt.Sprintf("take what `htpasswd -nBC 10 %s` prints behind the colon", name)
}

// rights fills in what the user may do.
func (e entry) rights(u *User) error {
	agent, region, gateway := e.fields[fieldAgent], e.fields[fieldRegion], e.fields[fieldGateway]
	u.Tenant, u.Device = e.fields[fieldTenant], e.fields[fieldDevice]
	device := u.Tenant != "" || u.Device != ""
	switch {
	case agent == "" && region == "" && gateway == "":
		return checkDevice(u)
	case device || gateway != "" && (agent != "" || region != ""):
		return errors.New("want either tenant and device, or agent and region, or gateway: an entry is for one thing")
	case gateway != "":
		u.Link, u.Region = gateway, schemas.Center
		return schemas.CheckRegion(gateway)
	case agent == "" || region == "":
		return errors.New("agent and region belong together: a link is of one agent to its region")
	}
	u.Link, u.Region = agent, region
	return errors.Join(schemas.CheckName(fieldAgent, agent), schemas.CheckRegion(region))
}

func checkDevice(u *User) error {
	if u.Tenant == "" && u.Device != "" {
		return fmt.Errorf("device %.80q without a tenant: say whose it is", u.Device)
	}
	var errs []error
	if u.Tenant != "" {
		errs = append(errs, schemas.CheckName(fieldTenant, u.Tenant))
	}
	if u.Device != "" {
		errs = append(errs, schemas.CheckName(fieldDevice, u.Device))
	}
	return errors.Join(errs...)
}
