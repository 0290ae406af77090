package chaos

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leatstream/leat/integration/internal/program"
	"github.com/leatstream/leat/integration/internal/topics"
)

// A guarantee is what faults may do to results.
type guarantee string

const (
	exactlyOnce guarantee = "exactly_once"
	atLeastOnce guarantee = "at_least_once" // they may repeat some
)

const (
	partitions = 6
	replicas   = 4
	session    = 6 * time.Second // the least that a broker allows by default

	leastRate = 1000             // records per second
	leastLate = 60 * time.Second // after the last fault everything has been processed
	patience  = 2 * time.Minute  // with anything that has to happen meanwhile
)

// A trial is one application under faults.
type trial struct {
	*testing.T
	*arena
	ctx    context.Context
	app    string
	topics *topics.Topics
	feed   *feed
	stalls *stalls
	result *result

	replicas []*replica // the lane of processes' alone while faults happen
}

// A replica is one of the application's processes, and what it should be now.
type replica struct {
	*program.Service
	dir string // of its state
	p   *program.Process
	up  bool
}

func newTrial(t *testing.T, a *arena, g guarantee) *trial {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	tr := &trial{
		T: t, arena: a, ctx: ctx, app: strings.ReplaceAll(string(g), "_", "-") + "-" + strings.ToLower(crand.Text()[:6]),
		topics: topics.Of(t, a.cluster), result: newResult(g),
	}
	var names []string
	for _, name := range append(inputs, outputs...) {
		names = append(names, tr.app+name)
	}
	tr.must(tr.topics.Create(ctx, partitions, names...))
	tr.feed = &feed{seeds: a.cluster.Seeds, logf: t.Logf, prefix: tr.app, rnd: rand.New(rand.NewPCG(*seed, 0)), deletes: g == exactlyOnce}
	var behind []string
	for _, p := range a.proxies {
		behind = append(behind, p.Addr())
	}
	for i := range replicas {
		name, dir := string(rune('a'+i)), t.TempDir()
		if i == replicas-1 && a.small != "" {
			dir = filepath.Join(a.small, string(g))
		}
		tr.replicas = append(tr.replicas, &replica{dir: dir, Service: program.New(t, name, a.binary,
			"-application="+tr.app, "-instance="+name, "-brokers="+strings.Join(behind, ","), "-state="+dir,
			"-session="+session.String(), fmt.Sprintf("-at-least-once=%t", g == atLeastOnce))})
	}
	if a.small == "" {
		tr.result.skipped[fullDisk] = a.noSmall.Error()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the logs of the processes are kept in %s", t.ArtifactDir())
		} else {
			os.RemoveAll(t.ArtifactDir())
		}
	})
	return tr
}

func (tr *trial) must(err error) {
	tr.Helper()
	if err != nil {
		tr.Fatal(err)
	}
}

// run feeds the application while faults happen for so long, and then checks what it has put out.
func (tr *trial) run(share time.Duration) {
	tr.Helper()
	for _, r := range tr.replicas {
		tr.must(tr.start(r))
	}
	feeding, enough := context.WithCancel(tr.ctx)
	var fed sync.WaitGroup
	fed.Go(func() { tr.feed.run(feeding) })
	tr.Cleanup(func() { enough(); fed.Wait() })
	tr.must(tr.settled(replicas))
	tr.stalls = watch(tr)

	began := time.Now()
	tr.suffer(began.Add(share))
	last := time.Now()
	tr.result.took = last.Sub(began)
	tr.Logf("the last fault is over after %v", tr.result.took.Round(time.Second))
	time.Sleep(time.Second) // work as usual
	enough()
	fed.Wait()
	tr.must(tr.feed.err)
	tr.result.records = tr.feed.acked.Load()

	if err := tr.drained(last.Add(leastLate)); err != nil {
		tr.Errorf("%v after the last fault: %v", leastLate, err)
	}
	tr.result.drained = time.Since(last)
	longest := tr.stalls.end()
	tr.result.stall = longest.took
	tr.Logf("the longest stall: %v", longest)
	for _, r := range tr.replicas {
		if err := r.p.Ask(tr.ctx); err != nil && r.up {
			tr.Errorf("%s: %v", r.Name, err)
		}
	}
	if *soak {
		tr.resources()
	}
	tr.check()
	tr.judge(share)
}

// judge fails the test if it was too easy, or the results are not what they should be.
func (tr *trial) judge(share time.Duration) {
	tr.Helper()
	r := tr.result
	if missing := r.missing(max(1, int(share/(5*time.Minute)))); len(missing) > 0 {
		tr.Errorf("these faults happened too rarely: %v", missing)
	}
	least := leastRate
	if *soak {
		least = leastSoak
	}
	if got := float64(r.records) / tr.feed.took.Seconds(); got < float64(least) {
		tr.Errorf("%.0f records per second were produced: fewer than %d", got, least)
	}
	if r.wrote == 0 {
		tr.Error("no zombie tried to write")
	}
	if r.lost+r.wrong > 0 || r.duplicated > 0 && r.guarantee == exactlyOnce {
		tr.Errorf("lost=%d duplicated=%d wrong=%d", r.lost, r.duplicated, r.wrong)
	}
}

// suffer makes faults happen until then, each kind at least once, and returns when all of them are over.
func (tr *trial) suffer(until time.Time) {
	tr.Helper()
	var lanes sync.WaitGroup
	for i, kinds := range [][]kind{ofProcesses, ofNetwork} {
		rnd := rand.New(rand.NewPCG(*seed, uint64(1+i)))
		lanes.Go(func() {
			for round := 0; tr.ctx.Err() == nil; round++ {
				order := append([]kind{}, kinds...)
				rnd.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
				for _, k := range order {
					if round > 0 && time.Now().After(until) || tr.Failed() {
						return
					}
					tr.fault(k, rnd)
				}
			}
		})
	}
	lanes.Wait()
	if tr.Failed() {
		tr.FailNow()
	}
}

// fault makes one happen, and returns when it is over.
func (tr *trial) fault(k kind, rnd *rand.Rand) {
	tr.Helper()
	if tr.result.skipped[k] != "" {
		return
	}
	time.Sleep(between(rnd, 200*time.Millisecond, 2*time.Second))
	start := time.Now()
	var what string
	var err error
	switch k {
	case kill:
		what, err = tr.kill(rnd)
	case zombie:
		what, err = tr.zombie(rnd)
	case restart:
		what, err = tr.restart(rnd)
	case scale:
		what, err = tr.scale(rnd)
	case fullDisk:
		what, err = tr.fullDisk()
	case broker:
		what, err = tr.broker(rnd)
	case cut:
		what, err = tr.cut(rnd)
	case delay:
		what, err = tr.delay(rnd)
	}
	if err != nil {
		tr.Errorf("%s %s: %v", k, what, err)
		return
	}
	tr.result.happened(k)
	tr.Logf("%s %s %s, for %v", start.Format("15:04:05.000"), k, what, time.Since(start).Round(time.Millisecond))
}

func between(rnd *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(rnd.Int64N(int64(most-least)))
}

var errPatience = errors.New("it takes too long")

// await asks until the answer is nil, for as long as patience lasts.
func (tr *trial) await(ask func(context.Context) error) error {
	return tr.awaitUntil(time.Now().Add(patience), ask)
}

func (tr *trial) awaitUntil(end time.Time, ask func(context.Context) error) error {
	ctx, cancel := context.WithDeadlineCause(tr.ctx, end, errPatience)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}
