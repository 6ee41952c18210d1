package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"weir/services/console"
)

func newVersionCommand() *cobra.Command {
	f := &format{}
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the versions of this program and of its formats",
		Example: `  weir version
  weir version -o json | jq .formats`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			b := thisBuild()
			v := console.NewVersion(b.Version, b.Revision, b.GoVersion)
			out := cmd.OutOrStdout()
			if f.name == asJSON {
				return json.NewEncoder(out).Encode(v)
			}
			t := newTable(out, *f, "what", "version")
			t.row("weir", v.Version)
			t.row("revision", cmp.Or(v.Revision, "unknown"))
			t.row("go", v.Go)
			for _, name := range slices.Sorted(maps.Keys(v.Formats)) {
				t.row(name+" format", fmt.Sprint(v.Formats[name]))
			}
			return t.flush()
		},
	}
	f.addFlag(cmd, asTable, asJSON, asCSV)
	return cmd
}
