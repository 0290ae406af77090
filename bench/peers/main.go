// Command peers measures leat beside Kafka Streams and a bare franz-go loop, all at the same work against the same real
// Kafka, in turn and several times. Run it by make bench-peers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/leatstream/leat/bench/peers/internal/bare"
	"github.com/leatstream/leat/bench/peers/internal/ours"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case programLeat:
			return runLeat(ctx, args[1:])
		case programBare:
			return runBare(ctx, args[1:])
		}
	}
	var c contest
	var names string
	var records, keys int
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	flags.IntVar(&c.rounds, "rounds", 5, "how many times every program runs")
	flags.StringVar(&names, "jobs", "", "which `jobs`, by name, with commas between; all: all there are; empty: all but the long ones")
	flags.IntVar(&records, "records", 2_000_000, "how many records the input has, of most jobs")
	flags.IntVar(&keys, "keys", 100_000, "how many keys they have")
	flags.StringVar(&c.results, "results", "../results", "the `folder` for what is measured")
	flags.StringVar(&c.scripts, "kafka", "../../integration/kafka", "the `folder` of the script that starts Kafka")
	flags.StringVar(&c.peer, "streams", "streams", "the `folder` of the script that builds the jobs for Kafka Streams")
	flags.StringVar(&c.profiles, "profiles", "", "the `folder` for CPU profiles and allocations of leat and the bare loop")
	flags.BoolVar(&c.keep, "keep", false, "keep the logs of all programs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	c.all = jobs(records, keys)
	if c.chosen, err = choose(c.all, names); err != nil {
		return err
	}
	return c.run(ctx)
}

func choose(all []job, names string) (chosen []job, err error) {
	wanted := strings.FieldsFunc(names, func(r rune) bool { return r == ',' })
	known := map[string]bool{"all": true}
	for _, j := range all {
		known[j.name], known[j.group] = true, true
		named := slices.Contains(wanted, j.name) || slices.Contains(wanted, j.group)
		if named || slices.Contains(wanted, "all") || names == "" && !j.long {
			chosen = append(chosen, j)
		}
	}
	wanted = slices.DeleteFunc(wanted, func(name string) bool { return known[name] })
	if len(wanted) > 0 {
		return nil, fmt.Errorf("there are no jobs %q; there are %s", wanted, strings.Join(order(all), ","))
	}
	return chosen, nil
}

func order(all []job) (names []string) {
	for _, j := range all {
		names = append(names, j.name)
	}
	return names
}

// What this program does if its first argument says so: it is what it measures.
const (
	programLeat = "leat"
	programBare = "bare"
)

func runLeat(ctx context.Context, args []string) error {
	var s ours.Settings
	flags := flag.NewFlagSet(programLeat, flag.ContinueOnError)
	flags.StringVar(&s.Brokers, "brokers", "", "")
	flags.StringVar(&s.Application, "application", "", "")
	flags.StringVar(&s.Job, "job", "", "")
	flags.StringVar(&s.In, "in", "", "")
	flags.StringVar(&s.Table, "table", "", "")
	flags.StringVar(&s.Out, "out", "", "")
	flags.StringVar(&s.Dir, "dir", "", "")
	flags.BoolVar(&s.InMemory, "memory", false, "")
	flags.Int64Var(&s.Budget, "budget", 0, "")
	flags.Int64Var(&s.MemoryBudget, "held", 0, "")
	flags.Int64Var(&s.EngineBytes, "engine", 0, "")
	flags.BoolVar(&s.ReportReads, "reads", false, "")
	profile := flags.String("cpuprofile", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return profiled(*profile, func() error { return ours.Run(ctx, s) })
}

func runBare(ctx context.Context, args []string) error {
	s := bare.Settings{CommitEvery: 100 * time.Millisecond}
	flags := flag.NewFlagSet(programBare, flag.ContinueOnError)
	flags.StringVar(&s.Brokers, "brokers", "", "")
	flags.StringVar(&s.Group, "application", "", "")
	flags.StringVar(&s.In, "in", "", "")
	flags.StringVar(&s.Out, "out", "", "")
	flags.StringVar(&s.Changelog, "changelog", "", "")
	flags.IntVar(&s.Workers, "workers", 0, "")
	profile := flags.String("cpuprofile", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return profiled(*profile, func() error { return bare.Run(ctx, s) })
}
