package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"weir/services/internal/datadir"
)

// upOptions are the flags of weir up.
type upOptions struct {
	serverOptions
	playOptions
	agents, regions int // 0: as the data folder says, or 1
}

// playOptions are the demo devices of a run, and its length.
type playOptions struct {
	devices int
	rate    float64
	length  time.Duration // 0: until somebody stops it
	output  format
}

func newUpCommand() *cobra.Command {
	o := &upOptions{serverOptions: newServerOptions("")}
	c := &cobra.Command{
		Use:   "up",
		Short: "Run everything in one process",
		Long: `Run everything in one process: an embedded NATS server, ingest over MQTT and NATS,
windows, region and center, the query API, and some demo devices that misbehave.

It says where everything is, then how it stands, and runs until Ctrl-C. A second
Ctrl-C does not wait for the drain.`,
		Example: `  weir up
  weir up --data ./data --devices 0
  weir up --agents 4 --regions 2 --devices 1000 --rate 1 --for 30s -o json
  weir up --mqtt 127.0.0.1:0 --nats 127.0.0.1:0 --http 127.0.0.1:0     # any free ports; see run.json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return exitWith(exitUsage, err)
			}
			o.keepShape(c)
			o.shape = datadir.Shape{Agents: o.agents, Regions: o.regions}
			return runServer(c.Context(), o.serverOptions, o.playOptions, c.OutOrStdout(), newScreen(c.ErrOrStderr()))
		},
	}
	o.addFlags(c)
	return c
}

func (o *upOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.http.value, "http", "127.0.0.1:8080", "page, API and metrics")
	f.StringVar(&o.nats.value, "nats", "127.0.0.1:4222", "NATS for devices and operators; empty: none")
	f.StringVar(&o.mqtt.value, "mqtt", "127.0.0.1:1883", "MQTT for devices; empty: none")
	o.otlp.addFlags(f)
	f.IntVar(&o.agents, "agents", 1, "logical agents, fixed at the first start of a data folder")
	f.IntVar(&o.regions, "regions", 1, "regions that the agents are spread over, fixed likewise")
	f.IntVar(&o.devices, "devices", 20, "demo devices; 0: none")
	f.Float64Var(&o.rate, "rate", 10, "readings per second and demo device")
	f.DurationVar(&o.length, "for", 0, "stop after so long, drain, and print the ledger")
	o.output.addFlag(c, asTable, asJSON)
	o.serverOptions.addFlags(f)
}

// keepShape leaves to the data folder what nobody has asked for.
func (o *upOptions) keepShape(c *cobra.Command) {
	if !c.Flags().Changed("agents") {
		o.agents = 0
	}
	if !c.Flags().Changed("regions") {
		o.regions = 0
	}
}

// Bounds of what one process is asked to be.
const (
	maxAgents  = 10_000
	maxRegions = 1_000
)

// check says everything that is wrong with the flags.
func (o *upOptions) check() error {
	var errs []error
	problem := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	problem(o.agents < 1 || o.agents > maxAgents, "--agents %d: use 1 to %d", o.agents, maxAgents)
	problem(o.regions < 1 || o.regions > maxRegions, "--regions %d: use 1 to %d", o.regions, maxRegions)
	problem(o.devices < 0, "--devices %d: use 0 or more", o.devices)
	problem(o.devices > 0 && (o.rate <= 0 || o.rate > 1000), "--rate %g: use more than 0, at most 1000", o.rate)
	problem(o.devices > 0 && o.mqtt.value == "" && o.nats.value == "", "--devices %d: they need --mqtt or --nats; use --devices 0", o.devices)
	problem(o.devices > 0 && o.users != "", "--devices %d: demo devices have no password: use --devices 0 with --users", o.devices)
	problem(o.length < 0, "--for %v: use a positive duration", o.length)
	errs = append(errs, o.output.check())
	return errors.Join(append(errs, o.serverOptions.check())...)
}
