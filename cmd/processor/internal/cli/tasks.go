package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/leatstream/leat/cmd/processor/internal/service"
	"github.com/leatstream/leat/internal/operate"
)

func newTasks(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tasks --config FILE",
		Short: "Print a service's tasks: who has them, where they are, how far behind",
		Long: "Print a service's tasks: who has them, where they are, how far behind.\n\n" +
			"It asks the brokers, not the service: what is printed is the group's assignment\n" +
			"and what is committed. A position of - is that nothing is committed yet; ? is what\n" +
			"the brokers do not know while a partition has no leader.\n" +
			"Of copies of state that stand by the group knows only where they were when\n" +
			"their owners last joined it: they lack that much at most.",
	}
	s := addSettings(cmd, sys)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		l, err := s.load()
		if err != nil {
			return err
		}
		return l.outside(cmd.Context(), func(a *operate.Application) error {
			v, err := a.Tasks(cmd.Context())
			if err != nil {
				return err
			}
			if err := errors.Join(a.Faults, a.Misfits); err != nil {
				sys.complain(fmt.Errorf("a start is refused: %w", err))
			}
			if v.Gaps != nil {
				sys.complain(v.Gaps)
			}
			return printTasks(sys, l.Application, v)
		})
	}
	return cmd
}

// outside calls fn with the application as the brokers know it.
func (l loaded) outside(ctx context.Context, fn func(*operate.Application) error) error {
	client, err := service.Connect(ctx, l.Kafka)
	if err != nil {
		return err
	}
	defer client.Close()
	a, err := operate.Open(ctx, client, l.Application, l.plan)
	if err != nil {
		return err
	}
	return fn(a)
}

func printTasks(sys System, group string, v operate.View) error {
	fmt.Fprintf(sys.Out, "group %s: %s, %d members\n\n", group, v.State, v.Members)
	w := tabwriter.NewWriter(sys.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TASK\tOWNER\tHOST\tTOPIC\tPARTITION\tPOSITION\tEND\tLAG")
	total, note := int64(0), ""
	for _, in := range v.Inputs {
		lag := in.Lag()
		if total += max(0, lag); lag < 0 {
			note = ", without what is not known"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", in.Task, cmp.Or(in.Owner, "-"), cmp.Or(in.Host, "-"), in.Topic, in.Partition,
			orElse(in.Position, "-"), orElse(in.End, "?"), orElse(lag, "?"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := printStandbys(sys, v.Standbys); err != nil {
		return err
	}
	_, err := fmt.Fprintf(sys.Out, "\nlag %d%s\n", total, note)
	return err
}

// orElse is a number, or other if it is less than 0.
func orElse(n int64, other string) string {
	if n < 0 {
		return other
	}
	return fmt.Sprint(n)
}

func printStandbys(sys System, all []operate.Standby) error {
	if len(all) == 0 {
		return nil
	}
	fmt.Fprintln(sys.Out)
	w := tabwriter.NewWriter(sys.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STANDBY OF\tOWNER\tHOST\tPOSITION\tEND\tLACKS AT MOST\t")
	for _, s := range all {
		note := ""
		if s.Warming {
			note = "the task is to move there"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Task, s.Owner, s.Host, orElse(s.Position, "-"), orElse(s.End, "?"), orElse(s.Lag(), "?"), note)
	}
	return w.Flush()
}
