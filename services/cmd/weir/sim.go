package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"weir/simulator"
)

// textProgress is how often progress is said where no terminal can rewrite it.
const textProgress = 5 * time.Second

func newSimCommand() *cobra.Command {
	o, f, quiet, meet, who := simulator.DefaultOptions(), &format{}, false, "", signIn{}
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Play devices and keep the truth about them",
		Long: `Play devices from outside, over MQTT or NATS, and write down what they sent, so that
weir verify can compare. Values and times are functions of the seed. Readings that
are not acknowledged are sent again with the same number.

Where users are named, all devices sign in as the one of --creds. Over MQTT
{device} in its name stands for the name of each device.

Ctrl-C ends the schedule and drains. The last line is a summary.`,
		Example: `  weir sim --mqtt 127.0.0.1:1883 --qos 1 --devices 100 --rate 10 --for 30s --truth run.truth
  weir sim --nats nats://127.0.0.1:4222 --devices 1000 --rate 1 --batch 10
  weir sim --mqtt 127.0.0.1:1883 --duplicate 1 --late 2 --future 0.5 --malformed 0.5 -o json
  weir sim --mqtt tls://a001.example.com:8883 --tls-ca ca.pem --creds box.json --tenant acme`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			var err error
			if o.Meet, err = parseMeet(meet); err != nil {
				return exitWith(exitUsage, err)
			}
			if err := who.settle(&o); err != nil {
				return exitWith(exitUsage, err)
			}
			s := newScreen(cmd.ErrOrStderr())
			summary, err := simulator.Run(cmd.Context(), o, showProgress(s, quiet))
			s.leave()
			if err != nil {
				return classSimulator(err)
			}
			if f.name == asJSON {
				return summary.WriteJSON(cmd.OutOrStdout())
			}
			return summary.WriteTable(cmd.OutOrStdout())
		},
	}
	addSimFlags(cmd, &o)
	who.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&meet, "meet", "", "with --speed: when event time meets the wall clock, RFC 3339 (default: at the end of --for)")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "no progress")
	f.addFlag(cmd, asTable, asJSON)
	return cmd
}

func addSimFlags(cmd *cobra.Command, o *simulator.Options) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.MQTT, "mqtt", "", "address of an MQTT listener: host:port, or tls://host:port")
	f.StringVar(&o.NATS, "nats", "", "URL of a NATS server, as nats://host:4222 or tls://host:4222")
	f.IntVar(&o.QoS, "qos", o.QoS, "0 or 1; over NATS 0 publishes and 1 sends requests")
	f.StringVar(&o.Tenant, "tenant", o.Tenant, "tenant of all devices")
	f.IntVar(&o.Devices, "devices", o.Devices, "number of devices")
	f.Float64Var(&o.Rate, "rate", o.Rate, "readings per second and device")
	f.IntVar(&o.Batch, "batch", o.Batch, "readings per message")
	f.StringVar((*string)(&o.Pattern), "pattern", string(o.Pattern), "steady, daily or burst")
	f.Float64Var(&o.Faults.Late, "late", 0, "percent of messages sent late, by less than half the lateness")
	f.Float64Var(&o.Faults.TooLate, "too-late", 0, "percent of messages older than the lateness + 30 s")
	f.Float64Var(&o.Faults.Reorder, "reorder", 0, "percent of messages sent after those that follow")
	f.Float64Var(&o.Faults.Duplicate, "duplicate", 0, "percent of messages sent twice")
	f.Float64Var(&o.Faults.Future, "future", 0, "percent of messages stamped an hour ahead")
	f.Float64Var(&o.Faults.Malformed, "malformed", 0, "percent of messages that are no reading")
	f.BoolVar(&o.Trouble, "trouble", false, "every fifth device is silent, stuck or sends abnormal values now and then")
	f.DurationVar(&o.For, "for", o.For, "how long devices observe; 0: until Ctrl-C")
	f.DurationVar(&o.Drain, "drain", o.Drain, "how long to wait then for acknowledgements")
	f.Uint64Var(&o.Seed, "seed", o.Seed, "what values, times and faults are functions of")
	f.StringVar(&o.Truth, "truth", "", "file to write the truth to")
	f.DurationVar(&o.Lateness, "lateness", o.Lateness, "lateness that the product's policy allows")
	f.DurationVar(&o.Size, "size", o.Size, "size of the product's windows")
	f.DurationVar(&o.Connect, "connect", o.Connect, "how long devices may take to connect before the schedule starts without them")
	f.IntVar(&o.Speed, "speed", 1, "how many times faster event time runs: a day of windows in 24 minutes is 60")
	f.StringVar(&o.Run, "run", "", "tag in device names (default: a random one)")
}

// parseMeet reads a time; empty is none.
func parseMeet(text string) (t time.Time, err error) {
	if text == "" {
		return t, nil
	}
	if t, err = time.Parse(time.RFC3339Nano, text); err != nil {
		err = fmt.Errorf("--meet %q: use RFC 3339, as 2026-11-22T05:00:00Z", text)
	}
	return t, err
}

// showProgress writes a line a second on a terminal, one every five elsewhere.
func showProgress(s *screen, quiet bool) func(simulator.Progress) {
	said := time.Duration(-1)
	return func(p simulator.Progress) {
		if quiet || !s.terminal() && said >= 0 && p.Elapsed >= said && p.Elapsed-said < textProgress {
			return
		}
		said = p.Elapsed
		s.show(p.String())
	}
}

// classSimulator gives the simulator's errors their exit codes.
func classSimulator(err error) error {
	if _, ok := errors.AsType[*simulator.OptionsError](err); ok {
		return exitWith(exitUsage, err)
	}
	if _, ok := errors.AsType[*simulator.UnreachableError](err); ok {
		return exitWith(exitUnreachable, err)
	}
	if _, ok := errors.AsType[*simulator.NotEqualError](err); ok {
		return exitWith(exitNotEqual, err)
	}
	return exitWith(exitFailed, err)
}
