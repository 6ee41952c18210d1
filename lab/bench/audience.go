package main

import (
	"errors"
	"fmt"
	"time"

	"weir/lab/sights"
	"weir/schemas"
	"weir/simulator"
	"weir/simulator/plan"
)

// audience is prompt devices, and users who follow their windows: those of some
// devices at their regions, and those of the fleet at the center.
type audience struct {
	shape
	Size     time.Duration `json:"size_ns"`     // of all windows
	Lateness time.Duration `json:"lateness_ns"` // that is allowed; short, so that windows become final in the run
	Followed int           `json:"followed"`    // devices: all as one view, or some by a user each
	Long     time.Duration `json:"long_ns"`     // that the devices play
}

// audiences are the rows.
var audiences = []audience{
	{
		shape: shape{Name: "windows of 1 s, 1,000 devices", Devices: 1_000, Rate: 5, Batch: 1},
		Size:  time.Second, Lateness: 2 * time.Second, Followed: 1_000, Long: 30 * time.Second,
	},
	{
		shape: shape{Name: "windows of 10 s, 10,000 devices", Devices: 10_000, Rate: 5, Batch: 1},
		Size:  10 * time.Second, Lateness: 5 * time.Second, Followed: 5, Long: 60 * time.Second,
	},
}

// policy is the default one with other windows.
func (a audience) policy() string {
	view := func(name string) string {
		return fmt.Sprintf(`{"name":%q,"size":%q,"allowed_lateness":%q}`, name, schemas.Duration(a.Size), schemas.Duration(a.Lateness))
	}
	return `{"views":[` + view("device") + "," + view("fleet") + "]}"
}

// followedRun is the tag in the names of devices, so that users know them.
const followedRun = "bench"

// regional are the flags of the users at the regions: one for the whole view, or
// one for each of some devices.
func (a audience) regional() (users [][]string) {
	if a.Followed == a.Devices {
		return [][]string{{"--view", "device"}}
	}
	for i := range a.Followed {
		name := plan.Spec{Run: followedRun}.Device(i * a.Devices / a.Followed)
		users = append(users, []string{"--device", name})
	}
	return users
}

// gallery is the users of a run.
type gallery struct{ regionOnTime, regionFinal, centerOnTime, centerFinal []*follower }

// open starts the users. Who wants final windows is told of no others.
func (a audience) open(w *product) (g gallery, err error) {
	add := func(to *[]*follower, flags ...string) {
		f, cause := w.follow("windows", flags...)
		if cause == nil {
			*to = append(*to, f)
		}
		err = errors.Join(err, cause)
	}
	for _, flags := range a.regional() {
		add(&g.regionOnTime, flags...)
		add(&g.regionFinal, append(flags, "--final")...)
	}
	add(&g.centerOnTime, "--view", "fleet")
	add(&g.centerFinal, "--view", "fleet", "--final")
	return g, err
}

func (a audience) options(w *product, truth string) simulator.Options {
	o := a.simulation(w.mqtt(), a.Long)
	o.Run, o.Truth, o.Size, o.Lateness = followedRun, truth, a.Size, a.Lateness
	return o
}

// see ends the users and sums up what they saw.
func (g gallery) see(d *delayed, over playing) error {
	var failed []error
	look := func(into *sights.Spread, users []*follower, keys int, due time.Duration) {
		var all []sights.Sight
		for _, u := range users {
			seen, err := u.leave()
			all, failed = append(all, seen...), append(failed, err)
		}
		windows, err := sights.ByWindow(all)
		failed = append(failed, err)
		*into = sights.SpreadOf(over.delays(windows, due), keys*over.windows(d.Size, due))
	}
	look(&d.Region.OnTime, g.regionOnTime, d.Followed, 0)
	look(&d.Region.Final, g.regionFinal, d.Followed, d.Lateness)
	look(&d.Center.OnTime, g.centerOnTime, 1, 0)
	look(&d.Center.Final, g.centerFinal, 1, d.Lateness)
	return errors.Join(failed...)
}
