package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatstream/leat/bench/peers/internal/broker"
	"github.com/leatstream/leat/bench/peers/internal/child"
	"github.com/leatstream/leat/bench/peers/internal/report"
	"github.com/leatstream/leat/bench/peers/internal/trial"
)

// A contest runs jobs, round by round.
type contest struct {
	all, chosen []job
	rounds      int
	results     string
	scripts     string
	peer        string
	profiles    string
	keep        bool

	dir       string // everything that is gone at the end
	self      string
	classpath string // of Kafka Streams' jobs; empty: they are left out
	broker    *broker.Broker
	loaded    map[broker.Input]bool
	example   string // the path of examples/nexmark, built
	events    int    // of NEXMark that are there
	answers   map[string]uint64
	runs      int
}

func (c *contest) run(ctx context.Context) (err error) {
	if runtime.GOOS != "linux" {
		fmt.Println("SKIPPED the peers: CPU time and memory of processes are read from Linux' /proc")
		return nil
	}
	if c.dir, err = os.MkdirTemp("", "leat-peers-"); err != nil {
		return err
	}
	defer func() {
		if c.keep {
			fmt.Println("logs are in", c.dir)
			return
		}
		os.RemoveAll(c.dir)
	}()
	if c.self, err = os.Executable(); err != nil {
		return err
	}
	if reason := c.kafka(ctx); reason != "" {
		fmt.Println("SKIPPED the peers: no real Kafka:", reason)
		return nil
	}
	c.classpath, err = c.build(ctx)
	if err != nil {
		fmt.Println("SKIPPED Kafka Streams:", err)
	}
	if c.broker, err = broker.Start(ctx, c.scripts, c.dir); err != nil {
		return err
	}
	defer c.broker.Close()
	c.loaded = map[broker.Input]bool{}
	for i, j := range c.chosen {
		if jobErr := c.job(ctx, j, i == 0); jobErr != nil {
			fmt.Printf("%s: %v\n", j.name, jobErr)
			err = fmt.Errorf("%s: %w", j.name, jobErr) // the other jobs do not depend on it
		}
		if ctx.Err() != nil {
			return err
		}
	}
	return err
}

// kafka sees that a broker can be run, and returns why not.
func (c *contest) kafka(ctx context.Context) (reason string) {
	cmd := exec.CommandContext(ctx, filepath.Join(c.scripts, "ensure.sh"))
	cmd.Env = append(os.Environ(), "KAFKA_MODE=process")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	switch {
	case err != nil:
		return err.Error()
	case !strings.Contains(string(out), "KAFKA_MODE=process"):
		return "Java 17 and the broker's jars are needed; see integration/kafka/ensure.sh"
	}
	return ""
}

// build compiles the jobs for Kafka Streams.
func (c *contest) build(ctx context.Context) (classpath string, err error) {
	var says strings.Builder
	cmd := exec.CommandContext(ctx, filepath.Join(c.peer, "build.sh"), filepath.Join(c.dir, "classes"))
	cmd.Stderr = &says
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(says.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// job runs a job's rounds and writes down what came out. Before the first job one run warms the broker up.
func (c *contest) job(ctx context.Context, j job, cold bool) error {
	var side []variant
	for _, v := range j.side {
		if v.program != streams || c.classpath != "" {
			side = append(side, v)
		}
	}
	entry := report.Job{
		Name: j.name, Title: j.title, Date: time.Now().UTC().Format("2 January 2006"),
		Machine: machine(), Versions: versions(c.classpath != ""), Settings: settings(side), Aims: j.aims,
	}
	for _, v := range side {
		entry.Sides = append(entry.Sides, v.label)
		if err := c.load(ctx, v); err != nil {
			return err
		}
	}
	if cold {
		if _, err := c.variant(ctx, j, side[0], nil); err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
	}
	for round := range c.rounds {
		runs := report.Round{}
		for i := range side {
			v := side[i]
			if !j.inOrder { // nobody always comes first
				v = side[(i+round)%len(side)]
			}
			run, err := c.variant(ctx, j, v, runs)
			if err != nil {
				return fmt.Errorf("round %d, %s: %w", round+1, v.label, err)
			}
			runs[v.label] = run
			fmt.Printf("%s, round %d of %d, %s: %s\n", j.name, round+1, c.rounds, v.label, run)
		}
		entry.Rounds = append(entry.Rounds, runs)
	}
	return c.save(entry)
}

func (c *contest) save(entry report.Job) error {
	if err := os.MkdirAll(c.results, 0o755); err != nil {
		return err
	}
	r, err := report.Load(c.results)
	if err != nil {
		return err
	}
	r.Set(entry, order(c.all))
	return r.Save(c.results)
}

// load makes what v reads, if it is not there yet.
func (c *contest) load(ctx context.Context, v variant) error {
	if v.events > 0 {
		return c.nexmark(ctx, v.events)
	}
	inputs := []broker.Input{v.input}
	if v.table > 0 {
		inputs = append(inputs, v.rows())
	}
	for _, in := range inputs {
		if c.loaded[in] || in.Records == 0 {
			continue
		}
		began := time.Now()
		if err := c.broker.Load(ctx, in); err != nil {
			return fmt.Errorf("load %s: %w", in.Topic(), err)
		}
		c.loaded[in] = true
		fmt.Printf("loaded %s in %v\n", in.Topic(), time.Since(began).Round(time.Millisecond))
	}
	return nil
}

func (v variant) rows() broker.Input {
	return broker.Input{Records: v.table, Keys: v.table, Partitions: v.input.Partitions, ValueBytes: 50, Table: true}
}

// stopGrace is how long a program may take to stop.
const stopGrace = 15 * time.Second

// variant measures one run of one program, on topics of its own. runs are those of the round so far.
func (c *contest) variant(ctx context.Context, j job, v variant, runs report.Round) (run trial.Run, err error) {
	c.runs++
	application := fmt.Sprintf("%s-%d", j.name, c.runs)
	t := &trial.Trial{Broker: c.broker, Application: application, In: v.input, Out: application + "-out", CPUs: runtime.NumCPU()}
	if v.work == "repartition" {
		t.Repartition = "-repartition"
	}
	own := []string{t.Out}
	made := v.input.Records == 0 && v.events == 0 // while it runs
	if v.program == bareLoop && v.work != "copy" {
		own = append(own, application+"-changelog")
	}
	if v.events > 0 {
		own = nil
	} else if err := c.broker.Create(ctx, v.input.Partitions, own...); err != nil {
		return nil, err
	}
	if made {
		own = append(own, t.In.Topic())
		if err := c.broker.Create(ctx, v.input.Partitions+v.input.Idle, t.In.Topic()); err != nil {
			return nil, err
		}
	}
	defer func() {
		err = errors.Join(err, c.broker.Delete(context.WithoutCancel(ctx), application, own...))
		err = errors.Join(err, os.RemoveAll(filepath.Join(c.dir, application)))
	}()
	path, args, err := c.command(v, t, runs)
	if err != nil {
		return nil, err
	}
	var ends kadm.ListedOffsets
	if j.certain {
		if ends, err = c.broker.Admin.ListEndOffsets(ctx, "nexmark-"+j.name); err != nil {
			return nil, err
		}
	}
	log := filepath.Join(c.dir, application+".log")
	t.Start = func() (*child.Process, error) { return child.Start(log, path, args) }
	began := time.Now()
	run, err = j.measure(ctx, t)
	took := time.Since(began)
	if t.Process == nil {
		return nil, err
	}
	t.Process.Stop(stopGrace)
	if err == nil && j.certain {
		err = c.agree(ctx, j.name, ends)
	}
	if err == nil && v.reads {
		err = addReads(run, t.Process.Output(), took)
	}
	return run, err
}

// addReads adds what leat says of its engine's reads: how many there were, for as long as the run took.
func addReads(run trial.Run, output string, took time.Duration) error {
	var n int64
	at := strings.LastIndex(output, "engine reads: ")
	if at < 0 {
		return errors.New("the number of the engine's reads is missing: " + output)
	}
	if _, err := fmt.Sscanf(output[at:], "engine reads: %d", &n); err != nil {
		return err
	}
	run[trial.Reads] = float64(n) / took.Seconds()
	return nil
}
