package main

import (
	"os"

	"github.com/spf13/cobra"

	"weir/services/internal/config"
)

// newRoot is the whole command line.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "weir",
		Short: "Exact telemetry from devices, on NATS",
		Long: `Weir takes telemetry from devices over MQTT and NATS, folds it into windows, and
accounts for every record.

Begin with

  weir up                                   everything in one process, with demo devices
  weir ledger                               what came in, and what became of it
  weir windows --device NAME                the newest windows of a device`,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			return exitWith(exitUsage, config.Apply(c.Flags(), os.Getenv))
		},
	}
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().String(config.Flag, "", "YAML file with the command's flags as keys")
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "look", Title: "Look:"},
		&cobra.Group{ID: "change", Title: "Change:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("run", newUpCommand(), newAgentCommand(), newGatewayCommand(), newRunCommand(), newSimCommand(), newVerifyCommand())
	add("look", newLedgerCommand(), newWindowsCommand(), newDevicesCommand(), newFindingsCommand(), newParkedCommand(), newDetectCommand(), newVersionCommand())
	add("change", newPolicyCommand())
	classErrors(root)
	return root
}
