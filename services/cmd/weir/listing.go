package main

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
)

// listing is a command that shows a list of the API. Its flags are the parameters.
type listing[T any] struct {
	use, short, long, example, path string

	filters  [][2]string // names and usages of flags with a text
	switches [][2]string // of flags that are set or not; follow makes the answer go on
	jsonOnly string      // the switch that only programs can use
	limit    string      // usage of --limit; empty: there is none
	columns  []string
	row      func(v *T, whole bool) []string // for programs whole, for people short
	empty    string                          // what to tell people where nothing answers
}

func newListCommand[T any](l listing[T]) *cobra.Command {
	c, f, p := newClient(), &format{}, parameters{text: map[string]*string{}, set: map[string]*bool{}}
	cmd := &cobra.Command{
		Use: l.use, Short: l.short, Long: l.long, Example: l.example, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if p.is(l.jsonOnly) && f.name != asJSON {
				return usageError("--%s is for programs: add -o json", l.jsonOnly)
			}
			body, err := c.get(cmd.Context(), l.path, p.query())
			if err != nil {
				return err
			}
			defer body.Close()
			follow := p.is("follow")
			row := func(v *T) []string { return l.row(v, f.name == asCSV) }
			n, err := list(cmd.Context(), body, cmd.OutOrStdout(), *f, slices.Clone(l.columns), row, follow)
			if n == 0 && err == nil && f.name == asTable && !follow {
				_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "weir:", l.empty)
			}
			return err
		},
	}
	flags := cmd.Flags()
	for _, a := range l.filters {
		p.text[a[0]] = flags.String(a[0], "", a[1])
	}
	for _, a := range l.switches {
		p.set[a[0]] = flags.Bool(a[0], false, a[1])
	}
	if l.limit != "" {
		flags.UintVar(&p.limit, "limit", 0, l.limit)
	}
	c.addFlags(cmd)
	f.addFlag(cmd, asTable, asJSON, asCSV)
	return cmd
}

// parameters are flags as parameters of the API, by name.
type parameters struct {
	text  map[string]*string
	set   map[string]*bool
	limit uint
}

// is reports whether there is a switch of that name, and it is set.
func (p *parameters) is(name string) bool {
	set, there := p.set[name]
	return there && *set
}

func (p *parameters) query() url.Values {
	q := url.Values{}
	for name, value := range p.text {
		if *value != "" {
			q.Set(name, *value)
		}
	}
	for name, set := range p.set {
		if *set {
			q.Set(name, "true")
		}
	}
	if p.limit > 0 {
		q.Set("limit", strconv.FormatUint(uint64(p.limit), 10))
	}
	return q
}
