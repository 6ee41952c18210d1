package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"weir/simulator"
)

// shape is what the devices of a row do.
type shape struct {
	Name    string  `json:"name"`
	Devices int     `json:"devices"`
	Rate    float64 `json:"messages_per_second_and_device"`
	Batch   int     `json:"readings_per_message"`
	QoS     int     `json:"qos"`
}

// shapes are the rows.
var shapes = []shape{
	{Name: "1,000 devices", Devices: 1_000, Rate: 10, Batch: 1},
	{Name: "1,000 devices, 10 readings a message", Devices: 1_000, Rate: 10, Batch: 10},
	{Name: "10,000 devices", Devices: 10_000, Rate: 5, Batch: 1},
	{Name: "10,000 devices, 10 readings a message", Devices: 10_000, Rate: 3, Batch: 10},
	{Name: "10,000 devices, QoS 1", Devices: 10_000, Rate: 2.5, Batch: 1, QoS: 1},
}

// floor is the kind of floor with the same promises to devices: the NATS server
// has no PUBACK that waits for a group.
func (s shape) floor() string {
	if s.QoS == 1 {
		return "mochi"
	}
	return "nats"
}

func (s shape) simulation(mqtt string, long time.Duration) simulator.Options {
	o := simulator.DefaultOptions()
	o.MQTT, o.Tenant, o.Devices, o.QoS, o.Batch = mqtt, "bench", s.Devices, s.QoS, s.Batch
	o.Rate, o.For, o.Connect = s.Rate*float64(s.Batch), long, 30*time.Second
	return o
}

// pair is one run at each server.
type pair struct {
	Weir  outcome `json:"weir"`
	Floor outcome `json:"floor"`
}

func (p pair) ratio() float64 { return p.Weir.CPU / p.Floor.CPU }

// result is a row.
type result struct {
	shape
	Pairs []pair  `json:"pairs"`
	Ratio float64 `json:"median_ratio"`
}

// The spans.
var (
	wholeSpan = span{from: 3 * time.Second, long: windowLong, aligned: true}
	quickSpan = span{from: 2 * time.Second, long: 5 * time.Second}
)

// measureRuns measures row by row.
func measureRuns(ctx context.Context, o options, root string) ([]result, error) {
	chosen := slices.DeleteFunc(slices.Clone(shapes), func(s shape) bool { return !strings.Contains(s.Name, o.only) })
	if len(chosen) == 0 {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "weir-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	floor, err := buildFloor(ctx, root, dir)
	if err != nil {
		return nil, err
	}
	var all []result
	for _, s := range chosen {
		r, err := measureRow(ctx, o, s, floor, dir)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// measureRow measures pairs; which server comes first changes from one to the
// next.
func measureRow(ctx context.Context, o options, s shape, floor, dir string) (result, error) {
	over, pairs := wholeSpan, o.pairs
	if o.quick {
		over, pairs = quickSpan, 1
	}
	weir := func() (server, error) { return startProduct(o, s.Devices) }
	bare := func() (server, error) { return startBare(o, floor, s) }
	r := result{shape: s}
	for i := range pairs {
		var p pair
		turns := []turn{{weir, &p.Weir}, {bare, &p.Floor}}
		if i%2 == 1 {
			slices.Reverse(turns)
		}
		for _, t := range turns {
			if err := t.take(ctx, s, over, dir); err != nil {
				return r, err
			}
		}
		fmt.Fprintf(o.notice, "%s, pair %d of %d: %.0f rec/s, %.2f µs per record, floor %.2f µs at %.0f rec/s\n",
			s.Name, i+1, pairs, p.Weir.rate(), p.Weir.CPU/1e3, p.Floor.CPU/1e3, p.Floor.rate())
		r.Pairs = append(r.Pairs, p)
	}
	r.Ratio = median(r.Pairs, pair.ratio)
	return r, nil
}

// turn is one run of a pair.
type turn struct {
	start func() (server, error)
	into  *outcome
}

func (t turn) take(ctx context.Context, s shape, over span, dir string) error {
	server, err := t.start()
	if err != nil {
		return err
	}
	*t.into, err = play(ctx, server, s, over, dir)
	return errors.Join(err, server.stop())
}

// median is the middle of what of gives for each, or the mean of both middles.
func median[T any](all []T, of func(T) float64) float64 {
	var values []float64
	for _, v := range all {
		values = append(values, of(v))
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
