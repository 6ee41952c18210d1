package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"weir/simulator"
)

func newVerifyCommand() *cobra.Command {
	c, f := newClient(), &format{}
	o := simulator.VerifyOptions{Timeout: 2 * time.Minute}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare what the product holds with the truth of runs",
		Long: `Recompute the windows of runs of weir sim from their seeds, wait until every record is
accounted for, then compare count, sum and digest of each window, at regions and
center, and the ledger. It gives up after --timeout, or when nothing has changed for a
sixth of that. Exit code 0 only where all are equal, 4 where they are not.`,
		Example: `  weir verify --truth run.truth
  weir verify --truth one.truth --truth two.truth --timeout 5m --final -o json
  weir verify --truth run.truth --http center:8080 --region north:8080 --region south:8080     # tiers that run apart`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := f.check()
			if err != nil {
				return err
			}
			if o.HTTP, _, err = c.base(); err != nil {
				return err
			}
			if f.name != asJSON {
				_, err := simulator.Verify(cmd.Context(), o, cmd.OutOrStdout())
				return classSimulator(err)
			}
			report, err := simulator.Verify(cmd.Context(), o, nil)
			if err == nil || report.Differences > 0 {
				err = errors.Join(report.WriteJSON(cmd.OutOrStdout()), err)
			}
			return classSimulator(err)
		},
	}
	cmd.Flags().StringArrayVar(&o.Truth, "truth", nil, "truth file of a run; more than one where runs share a tenant")
	cmd.Flags().StringArrayVar(&o.Regions, "region", nil, "URL or address of a region that runs apart from the center; more than one where devices are in several")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", o.Timeout, "how long the product may take to account for everything")
	cmd.Flags().BoolVar(&o.Final, "final", false, "every window must be final")
	c.addFlags(cmd)
	f.addFlag(cmd, asTable, asJSON)
	return cmd
}
