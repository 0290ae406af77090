package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatstream/leat/internal/identity"
	"github.com/leatstream/leat/internal/operate"
)

// resetFlags are what reset has beside the configuration.
type resetFlags struct {
	to                                               string
	deleteOffsets, keepState, execute, removeMembers bool
}

func newReset(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reset --config FILE",
		Short: "Make a stopped service begin anew: offsets, internal topics, local state",
		Long: "Make a stopped service begin anew: offsets, internal topics, local state.\n\n" +
			"It prints what it would do, and does it with --execute. State that does not fit the\n" +
			"offsets would count records twice or lose them: so the changelogs and repartition\n" +
			"topics are deleted, and the local state in state.dir on this machine. Delete that of\n" +
			"other machines there, or leave it: it is not used with new topics. What the service\n" +
			"has written to its sinks stays, and is written again.",
	}
	var f resetFlags
	cmd.Flags().StringVar(&f.to, "to", "earliest", "earliest, latest, a time as in 2026-01-31T12:00:00Z, or how long ago as in 6h")
	cmd.Flags().BoolVar(&f.deleteOffsets, "delete-offsets", false, "delete the offsets instead: sources say where they begin")
	cmd.Flags().BoolVar(&f.keepState, "keep-state", false, "move offsets alone: state keeps what it has, whatever the offsets are then")
	cmd.Flags().BoolVar(&f.execute, "execute", false, "do it")
	cmd.Flags().BoolVar(&f.removeMembers, "remove-active-members", false, "remove members from the group first; a process that runs comes back at once and may undo what is done here")
	s := addSettings(cmd, sys)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		l, err := s.load()
		if err != nil {
			return err
		}
		to, err := f.target(time.Now())
		if err != nil {
			return usageError{err}
		}
		return l.outside(cmd.Context(), func(a *operate.Application) error {
			plan, err := a.Reset(cmd.Context(), to, f.keepState)
			if err != nil {
				return err
			}
			return f.run(cmd.Context(), sys, l, plan)
		})
	}
	return cmd
}

// target reads --to and --delete-offsets, which not every flag goes with.
func (f resetFlags) target(now time.Time) (operate.Target, error) {
	switch {
	case f.deleteOffsets && f.keepState:
		return operate.Target{}, errors.New("--keep-state: a start is refused while there is state and no offset: remove one flag, or move the offsets with --to")
	case f.deleteOffsets && f.to != "earliest":
		return operate.Target{}, errors.New("--to: there is no such place if the offsets are deleted: remove one flag")
	case f.deleteOffsets:
		return operate.Target{Kind: operate.Nowhere}, nil
	case f.to == "earliest":
		return operate.Target{Kind: operate.Earliest}, nil
	case f.to == "latest":
		return operate.Target{Kind: operate.Latest}, nil
	}
	if at, err := time.Parse(time.RFC3339, f.to); err == nil {
		return operate.Target{Kind: operate.Datetime, At: at}, nil
	}
	if ago, err := time.ParseDuration(f.to); err == nil && ago >= 0 {
		return operate.Target{Kind: operate.Datetime, At: now.Add(-ago)}, nil
	}
	return operate.Target{}, fmt.Errorf("--to: %q is neither earliest nor latest, nor a time as in 2026-01-31T12:00:00Z, nor how long ago as in 6h", f.to)
}

// run prints the plan, and does what it says if it is to.
func (f resetFlags) run(ctx context.Context, sys System, l loaded, p *operate.Plan) error {
	var local []string
	if !f.keepState {
		local = localState(l.State.Dir)
	}
	if err := printPlan(sys, l.Application, p, local); err != nil {
		return err
	}
	if p.Remains != nil {
		sys.complain(fmt.Errorf("a start will be refused all the same: %w", p.Remains))
	}
	if !f.execute {
		_, err := fmt.Fprintln(sys.Out, "\nnothing is done: add --execute to do it")
		return err
	}
	unlock := func() error { return nil }
	if len(local) > 0 {
		id, err := identity.Open(l.State.Dir, "", 1) // nobody may be using it
		if err != nil {
			return err
		}
		unlock = id.Close
	}
	err := p.Execute(ctx, f.removeMembers)
	if errors.Is(err, operate.ErrActive) {
		err = fmt.Errorf("%w; or add --remove-active-members", err)
	}
	for _, path := range local {
		if err == nil {
			err = os.RemoveAll(path)
		}
	}
	if err := errors.Join(err, unlock()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(sys.Out, "\ndone")
	return err
}

// localState is what there is in a state directory of what a service has kept, and of
// what its topology was then.
func localState(dir string) (paths []string) {
	if dir == "" {
		return nil
	}
	for _, name := range []string{"engine", "topology.txt"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

func printPlan(sys System, group string, p *operate.Plan, local []string) error {
	w := tabwriter.NewWriter(sys.Out, 0, 0, 2, ' ', 0)
	for _, m := range p.Members {
		fmt.Fprintf(w, "member\t%s\tis active\n", m)
	}
	for _, m := range p.Moves {
		fmt.Fprintf(w, "offset\t%s[%d]\t%s -> %s\n", m.Topic, m.Partition, offsetText(m.From), offsetText(m.To))
	}
	for _, name := range p.Topics {
		fmt.Fprintf(w, "topic\t%s\tis deleted\n", name)
	}
	for _, path := range local {
		fmt.Fprintf(w, "local state\t%s\tis deleted\n", path)
	}
	for _, name := range p.Strangers {
		fmt.Fprintf(w, "topic\t%s\tstays: it is not of this topology, but maybe of an older one of %s\n", name, group)
	}
	return w.Flush()
}

func offsetText(offset int64) string {
	if offset < 0 {
		return "none"
	}
	return fmt.Sprint(offset)
}
