package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"weir/schemas"
)

func newGatewayCommand() *cobra.Command {
	o := newServerOptions(roleRegion)
	c := &cobra.Command{
		Use:   "gateway",
		Short: "Run a gateway: a region's, or the center's",
		Long: `Run a gateway: it takes what the links from below bring, merges it, and says what is
final and who is missing. A region's gateway brings what it makes to the center.

Several gateways of a region share its partitions, and take over from one another
within ten seconds: the first runs a NATS server of its own and the others join it,
or all join one that is there.`,
		Example: `  weir gateway --tier center --data /var/lib/weir --leaf 0.0.0.0:7422 --users links.yaml --tls-cert c.pem --tls-key k.pem
  weir gateway --tier region --name north --data /var/lib/weir --leaf 0.0.0.0:7422 --users links.yaml --upstream tls://center:7422 --creds link.json
  weir gateway --tier region --name north --member g2 --nats tls://gw1:4222 --tls-ca ca.pem --creds service.json
  weir gateway --tier center --leaf 127.0.0.1:7423                                  # on one machine, to try it`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := errors.Join(o.asGateway(), o.settleJoin(c), o.nameMember()); err != nil {
				return exitWith(exitUsage, err)
			}
			return runChecked(c, &o)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.Role, "tier", roleRegion, "region or center")
	f.StringVar(&o.Name, "name", "", "name of the region, fixed for a data folder; the center's is center")
	f.StringVar(&o.http.value, "http", "127.0.0.1:8080", "page, API and metrics")
	f.StringVar(&o.leaf.value, "leaf", "127.0.0.1:7422", "links from below")
	f.StringVar(&o.nats.value, "nats", "127.0.0.1:4222", "NATS for operators and gateways that join, empty: none; or the URL of a server to join, as nats://host:4222")
	f.StringVar(&o.member, "member", "", "name of this gateway among those of its region, the same after a restart (default: main; with a URL at --nats the host's name)")
	o.addLinkFlags(f)
	o.addFlags(f)
	if err := f.Set("durability", "durable"); err != nil {
		panic("BUG: " + err.Error())
	}
	f.Lookup("durability").DefValue, f.Lookup("durability").Changed = "durable", false
	return c
}

// asGateway completes the site of a gateway.
func (o *serverOptions) asGateway() error {
	switch o.Role {
	case roleRegion:
		o.linked = o.upstream != ""
	case roleCenter:
		if o.Name != "" && o.Name != schemas.Center {
			return fmt.Errorf("--name %s: the center's name is %s", o.Name, schemas.Center)
		}
		o.Name = schemas.Center
	default:
		return fmt.Errorf("--tier %q: use %s or %s", o.Role, roleRegion, roleCenter)
	}
	return nil
}
