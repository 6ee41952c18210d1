package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weir/services/internal/bus"
	"weir/services/internal/datadir"
	"weir/services/internal/run"
)

// runOptions are the flags of weir run.
type runOptions struct {
	nats, creds string
	tls         bus.TLS // towards the server
	http, mqtt  address
	otlp        otlpOptions
	shape       datadir.Shape
	insecure    bool
}

func newRunCommand() *cobra.Command {
	o := &runOptions{http: address{flag: "http"}, mqtt: address{flag: "mqtt"}, otlp: newOTLPOptions()}
	c := &cobra.Command{
		Use:   "run SERVICE…",
		Short: "Run single services on a NATS server that is there",
		Long: "Run single services on a NATS server that is there: " + strings.Join(allServices, ", ") + `.

Each service may run once per server. Policy is put in force by the process that
has the agents, so it runs together with ingest.`,
		Example: `  weir run ingest policy --nats tls://10.0.0.5:4222 --creds service.json
  weir run aggregator gateway console --nats tls://10.0.0.5:4222 --creds service.json`,
		ValidArgs: allServices,
		Args: func(_ *cobra.Command, args []string) error {
			return exitWith(exitUsage, checkServices(args))
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return exitWith(exitUsage, err)
			}
			return o.run(c.Context(), inFlow(args), slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil)))
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.nats, "nats", "nats://127.0.0.1:4222", "server with JetStream")
	f.StringVar(&o.creds, "creds", "", "credentials at the server: the service.json or operator.json of a data folder, or a NATS .creds file")
	f.StringVar(&o.tls.CA, "tls-ca", "", "authority that the server must have its certificate from")
	f.StringVar(&o.tls.Cert, "tls-cert", "", "certificate (PEM) to show to the server; needs --tls-key")
	f.StringVar(&o.tls.Key, "tls-key", "", "its private key")
	f.StringVar(&o.http.value, "http", "127.0.0.1:8080", "page, API and metrics of the console")
	f.StringVar(&o.mqtt.value, "mqtt", "127.0.0.1:1883", "MQTT of ingest; empty: none")
	o.otlp.addFlags(f)
	f.IntVar(&o.shape.Agents, "agents", 1, "logical agents, the same for all services of a server")
	f.IntVar(&o.shape.Regions, "regions", 1, "regions that the agents are spread over, likewise")
	f.BoolVar(&o.insecure, "insecure", false, "accept anybody on addresses that other machines reach")
	return c
}

func checkServices(names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("name at least one service: %s", strings.Join(allServices, ", "))
	}
	for _, name := range names {
		if !slices.Contains(allServices, name) {
			return fmt.Errorf("service %q is unknown: use %s", name, strings.Join(allServices, ", "))
		}
	}
	if slices.Contains(names, ingestService) != slices.Contains(names, policyService) {
		return fmt.Errorf("%s and %s run in one process: ingest journals what policy decides; name both", ingestService, policyService)
	}
	return nil
}

// inFlow sorts services as the flow goes, each once.
func inFlow(names []string) []string {
	var sorted []string
	for _, name := range allServices {
		if slices.Contains(names, name) {
			sorted = append(sorted, name)
		}
	}
	return sorted
}

func (o *runOptions) check() error {
	errs := []error{o.http.check(), o.mqtt.check(), o.otlp.grpc.check(), o.otlp.http.check(), o.otlp.check(), checkServer(o.nats, o.creds != "", o.tls.CA != "", o.insecure)}
	if !o.insecure {
		errs = append(errs, exposed("without users anybody is whoever they say: use 127.0.0.1, or", o.http, o.mqtt, o.otlp.grpc, o.otlp.http))
	}
	if o.shape.Agents < 1 || o.shape.Agents > maxAgents || o.shape.Regions < 1 || o.shape.Regions > maxRegions {
		errs = append(errs, fmt.Errorf("--agents %d --regions %d: use 1 to %d and 1 to %d", o.shape.Agents, o.shape.Regions, maxAgents, maxRegions))
	}
	return errors.Join(errs...)
}

// run joins the services to the server until ctx ends or one of them fails.
func (o *runOptions) run(ctx context.Context, names []string, log *slog.Logger) (err error) {
	tuneMemory()
	p, err := o.plant(ctx, names, log)
	if err != nil {
		return err
	}
	defer p.bus.Close()
	if err := bus.Await(ctx, log, func() error { return p.bus.Ensure(ctx, p.streams()) }); err != nil {
		return err
	}
	g := run.NewGroup()
	err = p.start(g, names)
	if err == nil {
		log.Info("running", "services", strings.Join(names, " "), "nats", o.nats)
		select {
		case <-ctx.Done():
		case <-g.Failed():
		}
	}
	end, cancel := context.WithTimeout(context.Background(), stopServices)
	defer cancel()
	return errors.Join(err, g.Stop(end))
}

func (o *runOptions) plant(ctx context.Context, names []string, log *slog.Logger) (*plant, error) {
	most, warning := connections(openFiles())
	if warning != "" {
		log.Warn(warning)
	}
	p := &plant{log: log, shape: o.shape, mqtt: o.mqtt.value, otlp: o.otlp, most: most}
	login, err := serverLogin(o.nats, o.creds, "weir-"+strings.Join(names, "-"), o.tls)
	if err != nil {
		return nil, exitWith(exitUsage, err)
	}
	login.Log = log
	if slices.Contains(names, ingestService) {
		for _, a := range append(o.otlp.addresses(), o.mqtt) {
			if err := a.free(ctx); err != nil {
				return nil, exitWith(exitUsage, err)
			}
		}
	}
	p.operator = login.Password
	if p.bus, err = bus.DialWith(ctx, login); err != nil {
		return nil, exitWith(exitUnreachable, err)
	}
	if !slices.Contains(names, consoleService) {
		return p, nil
	}
	if p.http, err = o.http.listen(ctx); err != nil {
		p.bus.Close()
		return nil, exitWith(exitUsage, err)
	}
	return p, nil
}
