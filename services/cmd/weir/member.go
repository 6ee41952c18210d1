package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"

	"weir/schemas"
	"weir/services/console"
	"weir/services/gateway"
	"weir/services/internal/lease"
	"weir/services/internal/run"
)

// This file is about the gateways of a region, or of the center, that share its
// work: who each of them is, and which of them brings things up.

// mainMember is the gateway with a server of its own: there is one per server.
const mainMember = "main"

func isGateway(role string) bool { return role == roleRegion || role == roleCenter }

// nameMember completes the name of a gateway among those of its region.
func (o *serverOptions) nameMember() error {
	if o.member == "" {
		o.member = mainMember
		if o.joins() {
			host, _ := os.Hostname() // without one a name is asked for
			o.member = nameOf(host)
		}
	}
	if o.joins() && o.member == mainMember {
		return fmt.Errorf("--member %s is the gateway with the server of its own: choose another name", mainMember)
	}
	return neededName("member", o.member, schemas.CheckName("member", o.member))
}

// nameOf makes a name of a host's: what a name cannot hold becomes a dash.
func nameOf(host string) string {
	name := strings.Map(func(r rune) rune {
		if r < 128 && schemas.ValidName(string(r)) {
			return r
		}
		return '-'
	}, host)
	return name[:min(len(name), schemas.MaxNameLen)]
}

// enlist opens what a gateway shares with others of its region.
func (in *instance) enlist(ctx context.Context) error {
	if !isGateway(in.Role) {
		return nil
	}
	store, err := in.bus.Bucket(ctx, schemas.BucketLease, 1)
	if err != nil {
		return err
	}
	id, err := in.folder.MemberID()
	in.plant.share = &gateway.Leases{Store: store, Name: in.member, ID: id}
	return err
}

// newUplink makes who brings the outbox of a region up, and its policy and commands
// down: one of its gateways at a time.
func (p *plant) newUplink() ([]part, error) {
	p.uplink = lease.New(lease.Config{
		Store: p.share.Store, Region: p.site.Name + "/uplink", Partitions: 1, Name: p.share.Name, ID: p.share.ID, Times: p.share.Times,
	}, p.log.With("service", uplinkService))
	return []part{{uplinkService, run.Func(func(ctx context.Context) error {
		return p.uplink.Keep(ctx, func(ctx context.Context, _ int) error { return p.bringUp(ctx) })
	})}}, nil
}

// bringUp does so until ctx ends or a part fails.
func (p *plant) bringUp(ctx context.Context) error {
	cache, err := p.newCache()
	if err != nil {
		return err
	}
	forwarder, err := p.newForwarder()
	if err != nil {
		cache[0].Service.(*linkedService).up.Close()
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, made := range append(cache, forwarder...) {
		g.Go(func() error { return made.Run(ctx) })
	}
	if p.down != nil {
		g.Go(func() error { return p.down.HandDown(ctx, p.bus, func() bool { return p.uplink.Holds(0) }) })
	}
	return g.Wait()
}

// checkShare is what readiness of a gateway depends on: one that cannot read the
// leases takes no part.
func (p *plant) checkShare() console.Check {
	return console.Check{Name: "partitions", Ready: func(context.Context) error {
		if !p.gateway.Current(lease.DefaultTimes().Stale) {
			return errors.New("it cannot be read who owns which partition")
		}
		return nil
	}}
}

// memberLine says who the process is among the gateways of its region.
func (in *instance) memberLine() string {
	of := "the region's 16 partitions"
	if in.Role == roleCenter {
		of = "the center's partition"
	}
	switch {
	case in.joins():
		return fmt.Sprintf("%s   shares %s with the others at that server; weir ledger says who owns what", in.member, of)
	case in.server.Addr() == "":
		return fmt.Sprintf("%s   has %s alone: with --nats others could join", in.member, of)
	}
	return fmt.Sprintf("%s   shares %s with those that join by %s", in.member, of, in.folder.ServiceFile())
}
