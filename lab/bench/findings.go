package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weir/lab/sights"
	"weir/schemas"
	"weir/simulator/mqtt"
)

// noticed is a row: how long after a device has sent what must not be somebody who
// runs weir findings --follow at the center is told.
type noticed struct {
	Name    string        `json:"name"`
	Devices int           `json:"devices"` // each sends a value a second, and once one beyond its limit
	Told    sights.Spread `json:"told"`    // from sending to the line
}

// What the devices do. Fewer devices of a tenant than make a group share it: each has
// a finding of its own.
const (
	noticedName    = "findings of 400 devices"
	noticedTenants = 100
	noticedEach    = 4
	noticedLong    = 60 // s
	noticedQuick   = 12
	noticedBegin   = 5 // s before the first of them is beyond its limit, and after the last
	noticedPolicy  = `{"detect":{"metrics":{"temp":{"max":90}}}}`
	noticedWanted  = 2.0 // s
)

// measureFindings measures the row, if it is asked for.
func measureFindings(ctx context.Context, o options) ([]noticed, error) {
	if !strings.Contains(noticedName, o.only) {
		return nil, nil
	}
	n := noticed{Name: noticedName, Devices: noticedTenants * noticedEach}
	if err := n.measure(ctx, o); err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	fmt.Fprintf(o.notice, "%s: told after %v s\n", n.Name, n.Told)
	return []noticed{n}, nil
}

func (n *noticed) measure(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "weir-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	policy := filepath.Join(dir, "policy.json")
	if err := os.WriteFile(policy, []byte(noticedPolicy), 0o600); err != nil {
		return err
	}
	w, err := startProduct(o, n.Devices, "--policy", policy)
	if err != nil {
		return err
	}
	long := noticedLong
	if o.quick {
		long = noticedQuick
	}
	return errors.Join(n.play(ctx, w, long), w.stop())
}

// play sends for so many seconds under the eyes of a user.
func (n *noticed) play(ctx context.Context, w *product, long int) error {
	f, err := w.follow("findings")
	if err != nil {
		return err
	}
	sent, err := n.send(ctx, w.mqtt(), long)
	seen, left := f.leave()
	if err = errors.Join(err, left); err != nil {
		return err
	}
	late, err := toldAfter(sent, seen)
	n.Told = sights.SpreadOf(late, n.Devices)
	return err
}

// send plays all devices on one connection, each at its own place within the second,
// and returns when each was beyond its limit.
func (n *noticed) send(ctx context.Context, at string, long int) (map[string]time.Time, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", at)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.Write(mqtt.AppendConnect(nil, mqtt.Connect{Client: "bench"})); err != nil {
		return nil, err
	}
	if answer, err := mqtt.NewReader(conn).Next(); err != nil || answer.Kind != mqtt.Connack || answer.Code != 0 {
		return nil, fmt.Errorf("connect: %+v, %w", answer, err)
	}
	chance := rand.New(rand.NewPCG(1, 1))
	turn := make([]int, n.Devices) // the second in which a device is beyond its limit
	for d := range turn {
		turn[d] = noticedBegin + chance.IntN(long-2*noticedBegin)
	}
	sent := map[string]time.Time{}
	began, between := time.Now(), time.Second/time.Duration(n.Devices)
	var packet []byte
	for i := range long * n.Devices {
		if err := waitUntil(ctx, began.Add(time.Duration(i)*between)); err != nil {
			return nil, err
		}
		d, value := i%n.Devices, 20+i%7
		device := fmt.Sprintf("d%d", d)
		if i/n.Devices == turn[d] {
			value, sent[device] = 120, time.Now()
		}
		topic := fmt.Sprintf("tel/t%d/%s/metrics", d%noticedTenants, device)
		packet = mqtt.AppendPublish(packet[:0], mqtt.Publish{Topic: topic}, fmt.Appendf(nil, `{"temp":%d}`, value))
		if _, err := conn.Write(packet); err != nil {
			return nil, err
		}
	}
	return sent, nil
}

// waitUntil returns at a time, or when ctx ends.
func waitUntil(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// toldAfter is how long after it was sent the first line about each device came, sorted.
func toldAfter(sent map[string]time.Time, seen []sights.Sight) (late []time.Duration, err error) {
	told := map[string]bool{}
	for _, s := range seen {
		var row schemas.FindingRow
		if err := json.Unmarshal(s.Line, &row); err != nil {
			return nil, fmt.Errorf("read a line of weir findings, %.100q: %w", s.Line, err)
		}
		if at, ours := sent[row.Device]; ours && !told[row.Device] && row.Kind == schemas.Limit.String() {
			told[row.Device] = true
			late = append(late, s.At.Sub(at))
		}
	}
	slices.Sort(late)
	return late, nil
}

var noticedColumns = []string{"what", "told at center, s", "not told"}

func (n *noticed) row() []string {
	return []string{n.Name, n.Told.String(), count(float64(n.Told.Unseen))}
}

// notes say what is not as wanted.
func (n *noticed) notes() (notes []string) {
	if n.Told.P99 > noticedWanted {
		notes = append(notes, fmt.Sprintf("%s: 99 %% are told within %.1f s, %.0f s wanted", n.Name, n.Told.P99, noticedWanted))
	}
	if n.Told.Unseen > 0 {
		notes = append(notes, fmt.Sprintf("%s: %d of %d were not told", n.Name, n.Told.Unseen, n.Devices))
	}
	return notes
}
