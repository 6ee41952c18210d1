package bus

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/crypto/bcrypt"

	"weir/schemas"
)

// Names of the server's own users: services of other processes, and people with tools.
const (
	UserService  = "service"
	UserOperator = "operator"
	userAnon     = "anon"
)

// User is somebody who may connect to an embedded server with a password: a
// device, or the agent or region whose link comes in. A device may not link, and
// who may link may do nothing else.
type User struct {
	Name           string // unique; not one of the server's own
	Hash           string // bcrypt of the password
	Tenant, Device string // of a device: whose telemetry it publishes and whose commands it hears; empty: anyone's
	Link           string // name of the agent or region that links as this user; empty: a device
	Region         string // of a Link: the region that it links to; schemas.Center where Link is a region itself
}

// checkUsers says everything that is wrong with them.
func checkUsers(users []User) error {
	var errs []error
	seen := map[string]bool{UserService: true, UserOperator: true, userAnon: true}
	for _, u := range users {
		if seen[u.Name] {
			errs = append(errs, fmt.Errorf("user %q: the name is taken", u.Name))
		}
		seen[u.Name] = true
		if err := u.check(); err != nil {
			errs = append(errs, fmt.Errorf("user %q: %w", u.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (u User) check() error {
	if u.Name == "" {
		return errors.New("it has no name")
	}
	if _, err := bcrypt.Cost([]byte(u.Hash)); err != nil {
		return fmt.Errorf("its hash is not bcrypt: %w", err)
	}
	if u.Link == "" {
		return u.checkDevice()
	}
	switch {
	case u.Tenant != "" || u.Device != "":
		return fmt.Errorf("it links as %q, so it has no tenant %q or device %q", u.Link, u.Tenant, u.Device)
	case !schemas.ValidName(u.Link) || u.Link == schemas.Center:
		return fmt.Errorf("it cannot link as %q: that is no name of an agent or region", u.Link)
	case !schemas.ValidName(u.Region):
		return fmt.Errorf("it links as %q to region %q: that is no name", u.Link, u.Region)
	}
	return nil
}

func (u User) checkDevice() error {
	for _, n := range []string{u.Tenant, u.Device} {
		if n != "" && !schemas.ValidName(n) {
			return fmt.Errorf("%q is no name of a tenant or device", n)
		}
	}
	if u.Region != "" {
		return fmt.Errorf("it has region %q but links as nobody", u.Region)
	}
	return nil
}

// permissions are what the user may do: as a client if it is a device, over its
// link if it has one.
func (u User) permissions() *server.Permissions {
	if u.Link != "" {
		return linkPermissions(u.Link, u.Region)
	}
	if u.Tenant == "" && u.Device == "" {
		return anonymous()
	}
	tenant, device, under := u.Tenant, u.Device, u.Device
	if tenant == "" {
		tenant = "*"
	}
	if device == "" {
		device, under = "*", ">"
	}
	return allow(
		[]string{schemas.Telemetry(tenant, device, "*")},
		[]string{schemas.Command(tenant, under), clientInbox},
	)
}

// clientInbox is where answers to devices and tools come.
const clientInbox = "_INBOX.>"

// anonymous are the rights of a device or tool without credentials: publish
// telemetry, hear commands and answers, nothing else. Without this anyone could
// write into the journal.
func anonymous() *server.Permissions {
	return allow([]string{schemas.TelemetryAll}, []string{schemas.CommandAll, clientInbox})
}

// linkPermissions are the rights of the link of an agent to its region, or of a
// region to the center.
func linkPermissions(name, region string) *server.Permissions {
	up := []string{}
	if region == schemas.Center {
		for p := range schemas.Partitions {
			up = append(up, upSubjects(region, 0, schemas.Producer(name, p))...)
		}
	} else {
		for _, producer := range [...]string{name, schemas.Detector(name)} {
			up = append(up, upSubjects(region, schemas.Partition(producer), producer)...)
		}
	}
	return allow(append(up, schemas.Desired(region, name), answersUp), []string{upInbox(name) + ">", schemas.CommandAll})
}

// answersUp is where answers to commands go: the server puts a subject of its own
// making in the place of the asker's inbox before a link sees it.
const answersUp = serverInbox + ">"

// upSubjects are where a producer's entries and questions go.
func upSubjects(region string, partition int, producer string) []string {
	return []string{schemas.Inbox(region, partition, producer, "*"), schemas.Link(region, partition, producer)}
}

// anyLink are the rights of a link without credentials: what any name's link may.
func anyLink() *server.Permissions {
	return allow(append(upAll(), answersUp), []string{upInbox("*") + ">", schemas.CommandAll})
}

// upAll is everything that comes up links, whoever brings it.
func upAll() []string {
	all := []string{schemas.InboxAll("*"), schemas.DesiredAll("*")}
	for p := range schemas.Partitions {
		all = append(all, schemas.LinkPartition("*", p))
	}
	return all
}

func allow(publish, subscribe []string) *server.Permissions {
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: publish},
		Subscribe: &server.SubjectPermission{Allow: subscribe},
	}
}
