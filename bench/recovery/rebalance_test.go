package recovery

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/integration/cluster"
)

// TestRebalance: two processes copy, or count; one of them joins, stops, comes back, is killed, is started again at once, and is
// killed for good. For each of these it prints how long the slowest record took from its write to its committed result,
// of the partitions that moved and of those that did not. leat does so in several rounds, Kafka Streams in one.
func TestRebalance(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	t.Run("the broker learns", func(t *testing.T) {
		r := newRebalance(t, c, leat{}, job{})
		r.flow()
		for i, end := 0, time.Now().Add(*warmup); time.Now().Before(end); i++ {
			b := start(r, r.system, &r.job, fmt.Sprint("b", i))
			r.settle(2)
			b.signal(syscall.SIGTERM)
			r.settle(1)
		}
	})
	for _, j := range []job{{stateless: true}, {}, {standbys: 1}} {
		for _, s := range chosen() {
			t.Run(fmt.Sprintf("%s, %s", s, j.kind()), func(t *testing.T) {
				r := newRebalance(t, c, s, j)
				r.flow()
				time.Sleep(5 * time.Second)
				n := 1
				if s == (leat{}) {
					n = *rounds
				}
				for i := range n {
					r.round(fmt.Sprint("b", i))
				}
				r.print()
			})
		}
	}
}

// A rebalance is of one system.
type rebalance struct {
	*fixture
	system  system
	traffic *traffic
	events  []string // in order
	figures map[string][]figure
}

// A figure is how long the slowest record took, of the partitions that moved and of the others.
type figure struct {
	moved, others time.Duration
}

// newRebalance is of a job of that kind.
func newRebalance(t *testing.T, c *cluster.Cluster, s system, kind job) *rebalance {
	r := &rebalance{fixture: newFixture(t, c, "rebalance"), system: s, figures: map[string][]figure{}}
	r.stateless, r.standbys = kind.stateless, kind.standbys
	return r
}

// flow starts the first process, lets it count each key once, and begins the traffic.
func (r *rebalance) flow() {
	r.Helper()
	start(r, r.system, &r.job, "a")
	r.load()
	r.settle(1)
	r.traffic = flow(r.fixture)
}

// round lets the process of that name, which has no state yet, come and go.
func (r *rebalance) round(name string) {
	r.Helper()
	var b *process
	r.measure("nothing happens", 1, func() { time.Sleep(10 * time.Second) })
	r.measure("b joins", 2, func() { b = start(r, r.system, &r.job, name) })
	r.measure("b stops", 1, func() { b.signal(syscall.SIGTERM) })
	r.measure("b comes back", 2, func() { b = start(r, r.system, &r.job, name) })
	r.caughtUp()
	r.measure("b is killed and started", 2, func() {
		b.signal(syscall.SIGKILL)
		b = start(r, r.system, &r.job, name)
	})
	r.settle(2) // a process that has come back without its state may have to catch up first
	r.caughtUp()
	r.measure("b is killed", 1, func() { b.signal(syscall.SIGKILL) })
}

// print prints the medians and ranges of all rounds.
func (r *rebalance) print() {
	for _, event := range r.events {
		line := fmt.Sprintf("rebalance: %-14s %-12s rounds=%d %-24s", r.system, r.kind(), len(r.figures[event]), event+":")
		for _, part := range []struct {
			name string
			of   func(figure) time.Duration
		}{{"moved", func(f figure) time.Duration { return f.moved }}, {"others", func(f figure) time.Duration { return f.others }}} {
			var all []time.Duration
			for _, f := range r.figures[event] {
				if took := part.of(f); took > 0 {
					all = append(all, took.Round(10*time.Millisecond))
				}
			}
			if slices.Sort(all); len(all) > 0 {
				line += fmt.Sprintf(" %s %v (%v to %v)", part.name, all[len(all)/2], all[0], all[len(all)-1])
			}
		}
		fmt.Println(line)
	}
}

// load gives every key a record, and waits until they are counted.
func (r *rebalance) load() {
	r.Helper()
	for i := range *keys {
		r.client.Produce(r.ctx, &kgo.Record{Topic: r.input, Key: key(i), Value: []byte("x")}, r.produced)
	}
	r.must(r.client.Flush(r.ctx))
	r.await("the load to be counted", func() error {
		committed, err := r.admin.FetchOffsets(r.ctx, r.application)
		if err != nil {
			return err
		}
		left := int64(*keys)
		for p := range int32(partitions) {
			at, _ := committed.Lookup(r.input, p)
			left -= max(at.At, 0)
		}
		if left > 0 {
			return fmt.Errorf("%d records are left", left)
		}
		return nil
	})
}

// caughtUp gives standbys time to follow what was written.
func (r *rebalance) caughtUp() { time.Sleep(10 * time.Second) }

// measure makes something happen, after which n processes are to share the partitions equally.
func (r *rebalance) measure(what string, n int, do func()) {
	r.Helper()
	before := r.owners()
	r.traffic.begin()
	began := time.Now()
	do()
	r.settle(n)
	after := r.owners()
	settled := time.Since(began)
	time.Sleep(time.Second)
	slowest := r.traffic.end()
	var moved, stayed time.Duration
	count := 0
	for p, took := range slowest {
		if before[int32(p)] != after[int32(p)] {
			moved, count = max(moved, took), count+1
		} else {
			stayed = max(stayed, took)
		}
	}
	if !slices.Contains(r.events, what) {
		r.events = append(r.events, what)
	}
	r.figures[what] = append(r.figures[what], figure{moved: moved, others: stayed})
	r.Logf("%-24s moved=%d of %d, slowest of those %-8v of the others %-8v settled after %v",
		what+":", count, partitions, moved.Round(10*time.Millisecond), stayed.Round(10*time.Millisecond), settled.Round(100*time.Millisecond))
}

// settle waits until n members share the partitions of the input equally.
func (r *rebalance) settle(n int) {
	r.Helper()
	r.await(fmt.Sprintf("a group of %d", n), func() error {
		groups, err := r.admin.DescribeGroups(r.ctx, r.application)
		if err != nil {
			return err
		}
		g := groups[r.application]
		if g.State != "Stable" || len(g.Members) == 0 {
			return fmt.Errorf("the group is %q", g.State)
		}
		share := map[string]int{}
		for _, owner := range r.owners() {
			share[owner]++
		}
		if len(share) != n {
			return fmt.Errorf("they are shared by %v", share)
		}
		for _, has := range share {
			if has != partitions/n {
				return fmt.Errorf("they are shared unequally: %v", share)
			}
		}
		return nil
	})
}

// owners are the processes that have the partitions of the input. One of leat's goes by the name that outlives it; one of
// Kafka Streams is a member with each of its threads.
func (r *rebalance) owners() map[int32]string {
	owners := map[int32]string{}
	groups, err := r.admin.DescribeGroups(r.ctx, r.application)
	if err != nil {
		return owners
	}
	for _, m := range groups[r.application].Members {
		name, _, _ := strings.Cut(m.MemberID, "-StreamThread-")
		if m.InstanceID != nil {
			name = *m.InstanceID
		}
		assigned, ok := m.Assigned.AsConsumer()
		if !ok {
			continue
		}
		for _, t := range assigned.Topics {
			for _, p := range t.Partitions {
				if t.Topic == r.input {
					owners[p] = name
				}
			}
		}
	}
	return owners
}
