package recovery

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/integration/cluster"
)

// TestRebalance: two processes count; one of them joins, stops, comes back, is killed, is started again at once, and is
// killed for good. For each of these it prints how long the slowest record took from its write to its committed result,
// of the partitions that moved and of those that did not.
func TestRebalance(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	for standbys := range 2 {
		for _, s := range chosen() {
			t.Run(fmt.Sprintf("%s, %d standbys", s, standbys), func(t *testing.T) {
				f := newFixture(t, c, "rebalance")
				f.standbys = standbys
				(&rebalance{fixture: f, system: s}).run()
			})
		}
	}
}

// A rebalance is of one system.
type rebalance struct {
	*fixture
	system  system
	traffic *traffic
}

func (r *rebalance) run() {
	r.Helper()
	start(r, r.system, &r.job, "a")
	r.load()
	r.settle(1)
	r.traffic = flow(r.fixture)
	time.Sleep(5 * time.Second)

	var b *process
	r.measure("nothing happens", 1, func() { time.Sleep(10 * time.Second) })
	r.measure("b joins", 2, func() { b = start(r, r.system, &r.job, "b") })
	r.measure("b stops", 1, func() { b.signal(syscall.SIGTERM) })
	r.measure("b comes back", 2, func() { b = start(r, r.system, &r.job, "b") })
	r.caughtUp()
	r.measure("b is killed and started", 2, func() {
		b.signal(syscall.SIGKILL)
		b = start(r, r.system, &r.job, "b")
	})
	r.settle(2) // a process that has come back without its state may have to catch up first
	r.caughtUp()
	r.measure("b is killed", 1, func() { b.signal(syscall.SIGKILL) })
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
	fmt.Printf("rebalance: %-14s standbys=%d %-24s moved=%d of %d, slowest of those %-8v of the others %-8v settled after %v\n",
		r.system, r.standbys, what+":", count, partitions, moved.Round(10*time.Millisecond), stayed.Round(10*time.Millisecond), settled.Round(100*time.Millisecond))
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
