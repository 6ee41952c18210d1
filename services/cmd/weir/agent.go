package main

import "github.com/spf13/cobra"

func newAgentCommand() *cobra.Command {
	o := newServerOptions(roleAgent)
	c := &cobra.Command{
		Use:   "agent",
		Short: "Run an edge agent: journal, windows, and the link to its region",
		Long: `Run an edge agent: it takes telemetry over MQTT and NATS, journals every record,
folds records into windows, and brings them to its region over a link that may be
down for as long as the disk lasts.

Without --upstream it works alone. A link that comes up later brings everything.`,
		Example: `  weir agent --name a001 --region north --data /var/lib/weir --upstream tls://gw.example.com:7422 --creds link.json
  weir agent --name a001 --region north --upstream nats-leaf://127.0.0.1:7422     # on one machine, to try it`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.linked = o.upstream != ""
			return runChecked(c, &o)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.Name, "name", "", "name of the agent, fixed for a data folder")
	f.StringVar(&o.Region, "region", "", "region that it belongs to, fixed likewise")
	f.StringVar(&o.group, "group", "", "group of agents whose policy it follows")
	f.StringVar(&o.http.value, "http", "127.0.0.1:8080", "page, API and metrics")
	f.StringVar(&o.mqtt.value, "mqtt", "127.0.0.1:1883", "MQTT for devices; empty: none")
	o.otlp.addFlags(f)
	f.StringVar(&o.nats.value, "nats", "127.0.0.1:4222", "NATS for devices and operators; empty: none")
	o.addLinkFlags(f)
	o.addFlags(f)
	return c
}

// runChecked runs a server whose site is fixed by its flags.
func runChecked(c *cobra.Command, o *serverOptions) error {
	if err := o.check(); err != nil {
		return exitWith(exitUsage, err)
	}
	return runServer(c.Context(), *o, playOptions{}, c.OutOrStdout(), newScreen(c.ErrOrStderr()))
}
