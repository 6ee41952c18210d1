package simulator

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"weir/simulator/plan"
)

// Options say what a run plays, and where.
type Options struct {
	MQTT string // address of an MQTT listener: host:port, mqtt://host:port, or tls://host:port
	NATS string // URL of a NATS server; exactly one of both is set

	// All devices sign in as one user, or not at all. Over MQTT "{device}" in the
	// name stands for the device's own.
	User, Password string
	TLS            *tls.Config // of connections that speak it; nil: as the system has it. A NATS server speaks it where this is set

	QoS     int           // 0 or 1. Over NATS: 0 publishes, 1 sends requests and waits for the replies
	Tenant  string        //
	Devices int           // 1 to 1,000,000
	Rate    float64       // readings per second and device; at most 1,000
	Batch   int           // readings per message
	Pattern plan.Pattern  //
	Faults  plan.Faults   // percent of a device's messages
	Trouble bool          // every fifth device is silent, stuck, or sends abnormal values now and then
	For     time.Duration // how long devices observe; 0: until ctx ends
	Drain   time.Duration // how long Run then waits for what is not acknowledged
	Seed    uint64        //
	Run     string        // tag in device names; "" takes a random one
	Truth   string        // truth file to create; "" keeps none

	// Speed is how much faster than the schedule event time runs; 0 is 1. It begins
	// in the past and meets the wall clock at Meet; the zero Meet is the end of For.
	Speed int
	Meet  time.Time

	// What the product allows: the truth of late and too late readings depends on it.
	Lateness time.Duration
	Size     time.Duration

	// Connect is how long no further device may connect before the schedule starts
	// without those that have not. Where none has, Run gives up. 0 is 10 s.
	Connect time.Duration
}

// DefaultOptions is a small, well-behaved run; the caller adds an address.
func DefaultOptions() Options {
	return Options{
		Tenant: "sim", Devices: 20, Rate: 10, Batch: 1, Pattern: plan.Steady,
		For: time.Minute, Drain: time.Minute, Seed: 1,
		Lateness: time.Minute, Size: 10 * time.Second, Connect: 10 * time.Second,
	}
}

// ready checks the options and fills in the run tag. The plan it returns has no
// start yet.
func (o Options) ready() (Options, plan.Spec, error) {
	if o.Run == "" {
		o.Run = strings.ToLower(rand.Text()[:6])
	}
	if o.Connect == 0 {
		o.Connect = DefaultOptions().Connect
	}
	errs := []error{o.check(), o.checkTruth()}
	spec := plan.Spec{
		Run: o.Run, Seed: o.Seed, Tenant: o.Tenant, Devices: o.Devices, Batch: o.Batch, Pattern: o.Pattern,
		Faults: o.Faults, Trouble: o.Trouble, Lateness: int64(o.Lateness), Size: int64(o.Size), For: int64(o.For), Speed: int64(o.Speed),
	}
	if o.Rate > 0 {
		spec.Period = int64(float64(time.Second) / o.Rate)
		errs = append(errs, spec.Validate())
	}
	if err := errors.Join(errs...); err != nil {
		return o, spec, &OptionsError{Err: err}
	}
	return o, spec, nil
}

func (o Options) check() error {
	var errs []error
	if (o.MQTT == "") == (o.NATS == "") {
		errs = append(errs, errors.New("name either an MQTT address or a NATS URL"))
	}
	if o.NATS != "" && strings.Contains(o.User, anyDevice) {
		errs = append(errs, fmt.Errorf("user %q: devices share connections over NATS, so name one user for all of them", o.User))
	}
	if o.QoS != 0 && o.QoS != 1 {
		errs = append(errs, fmt.Errorf("QoS %d: use 0 or 1", o.QoS))
	}
	if o.Rate <= 0 {
		errs = append(errs, fmt.Errorf("rate %g: use more than 0 readings per second", o.Rate))
	}
	if o.Speed > 1 && o.For == 0 && o.Meet.IsZero() {
		errs = append(errs, fmt.Errorf("speed %d: say for how long", o.Speed))
	}
	if o.Drain < 0 || o.Connect < 0 {
		errs = append(errs, fmt.Errorf("drain %v, connect %v: use 0 or more", o.Drain, o.Connect))
	}
	return errors.Join(errs...)
}

// firstEvent is the event time at which a schedule starts that begins now.
func (o Options) firstEvent(now time.Time) int64 {
	if o.Speed <= 1 {
		return now.UnixNano()
	}
	meet := o.Meet
	if meet.IsZero() {
		meet = now.Add(o.For)
	}
	return meet.UnixNano() - int64(o.Speed)*int64(meet.Sub(now))
}

// checkTruth finds out early what would else show once all devices are connected.
func (o Options) checkTruth() error {
	if _, err := os.Stat(o.Truth); o.Truth != "" && err == nil {
		return fmt.Errorf("truth file %s exists: remove it or name another", o.Truth)
	}
	return nil
}

// anyDevice stands for a device's name in the name of its user.
const anyDevice = "{device}"

// userOf is who a device signs in as.
func (o Options) userOf(device string) string { return strings.ReplaceAll(o.User, anyDevice, device) }

// mqttAddr is the address to dial, and whether it speaks TLS.
func (o Options) mqttAddr() (addr string, secure bool) {
	scheme, addr, named := strings.Cut(o.MQTT, "://")
	if !named {
		addr = o.MQTT
	}
	return strings.TrimSuffix(addr, "/"), named && slices.Contains([]string{"tls", "mqtts", "ssl"}, scheme)
}

// Secure reports whether connections speak TLS whatever the server says.
func (o Options) Secure() bool {
	_, secure := o.mqttAddr()
	return secure || o.NATS != "" && (o.TLS != nil || strings.HasPrefix(o.NATS, "tls://"))
}

func (o Options) addr() string {
	if o.MQTT != "" {
		return o.MQTT
	}
	return o.NATS
}
