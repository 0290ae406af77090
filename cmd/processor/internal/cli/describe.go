package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/leatstream/leat/cmd/processor/internal/topologies"
)

func newTopologies(sys System) *cobra.Command {
	return &cobra.Command{
		Use:   "topologies",
		Short: "List the topologies that can be run",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			w := tabwriter.NewWriter(sys.Out, 0, 0, 3, ' ', 0)
			for _, t := range topologies.All() {
				fmt.Fprintf(w, "%s\t%s\n", t.Name, t.Description)
			}
			return w.Flush()
		},
	}
}

func newDescribe(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "describe --config FILE",
		Short: "Print a service's topology: sub-topologies, nodes, stores and topics",
	}
	format := cmd.Flags().String("format", "text", "text or mermaid")
	s := addSettings(cmd, sys)
	cmd.RunE = func(*cobra.Command, []string) error {
		l, err := s.load()
		if err != nil {
			return err
		}
		var text string
		switch *format {
		case "text":
			text = l.topology.Describe()
		case "mermaid":
			text = l.topology.Mermaid()
		default:
			return usageError{fmt.Errorf("--format: %q is not one of text, mermaid", *format)}
		}
		_, err = fmt.Fprint(sys.Out, strings.ReplaceAll(text, "<application>", l.Application))
		return err
	}
	return cmd
}
