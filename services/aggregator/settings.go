package aggregator

import (
	"fmt"

	"weir/pkg/sketch"
	"weir/pkg/window"
	"weir/schemas"
)

// View is one compiled view: what is kept of the records that it matches.
type View struct {
	Name    string
	Dims    []string // group_by: device, class, metric, attrs.<key>
	Spec    window.Spec
	Sketch  sketch.Config
	Counter bool
	Uplink  schemas.Tier // how far its windows travel
	Publish bool         // its final windows go out as JSON lines
	Attrs   []string     // keys of attributes that Match looks at
	Match   Match        // nil: everything
}

// Match reports whether a view holds the records of a metric of a device that
// come with some attributes.
type Match func(d *DeviceID, metric string, attrs Attributes) bool

// byDevice reports whether the key holds the device, so that the device's own
// watermark closes the windows.
func (v *View) byDevice() bool {
	for _, d := range v.Dims {
		if d == "device" {
			return true
		}
	}
	return false
}

// DeviceID is what a view may match and group a device by.
type DeviceID struct{ Tenant, Device, Class string }

// Settings is a compiled policy document.
type Settings struct {
	Views   []View // Views[0] is the default view: its classes are the ledger's
	Sources window.Config
	MaxPast int64
	// MaxSets is how many sets of attributes a device may send of those that views
	// look at; the records of further ones are counted under OverflowValue.
	MaxSets int
	ClassOf func(device string) string
}

// Compile turns a policy document into settings. The document has been
// validated before it was journalled.
type Compile func(document []byte) (*Settings, error)

// DefaultSettings are in force until a document is journalled.
func DefaultSettings() *Settings {
	const second = 1_000_000_000
	spec := window.Spec{Size: 10 * second, Lateness: 60 * second}
	return &Settings{
		Views: []View{
			{Name: "device", Dims: []string{"device", "metric"}, Spec: spec, Sketch: sketch.DefaultConfig(), Uplink: schemas.TierRegion},
			{Name: "fleet", Dims: []string{"class", "metric"}, Spec: spec, Sketch: sketch.DefaultConfig(), Uplink: schemas.TierCenter},
		},
		MaxPast: 7 * 24 * 3600 * second,
		MaxSets: 256,
		ClassOf: func(string) string { return "default" },
	}
}

// generation is a document and the event time from which its views apply.
type generation struct {
	from     int64
	revision uint64
	document []byte // nil: the defaults
	*Settings
}

// maxGenerations bounds the documents whose views are still kept. Records older
// than the oldest kept one fall under that one.
const maxGenerations = 8

func newGeneration(c *schemas.Config, compile Compile) (*generation, error) {
	if c == nil {
		return &generation{from: -1 << 63, Settings: DefaultSettings()}, nil
	}
	s, err := compile(c.Document)
	if err != nil {
		return nil, fmt.Errorf("policy revision %d: %w", c.Revision, err)
	}
	return &generation{from: c.From, revision: c.Revision, document: append([]byte(nil), c.Document...), Settings: s}, nil
}
