package integration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/integration/internal/program"
)

const (
	joinPartitions = 6
	joiner         = "internal/joiner" // where the source of the service is
)

// TestInputsStayTogether: three processes join a stream with a table, a fourth comes and one goes. The partitions of the
// two topics move together, and each record meets the row that was written just before it.
func TestInputsStayTogether(t *testing.T) {
	t.Parallel()
	f := setup(t, "join", joinPartitions)
	rows := f.app + "-rows"
	f.must(f.topics.Create(f.ctx, joinPartitions, rows))
	program.Build(t, joiner)
	pairs := &pairs{client: f.topics.Client, records: f.in, rows: rows}
	feeding, enough := context.WithCancel(f.ctx)
	var fed sync.WaitGroup
	fed.Go(func() { pairs.run(feeding) })

	var running []*program.Process
	start := func(name string) { running = append(running, f.start(f.joiner(name, rows))) }
	for _, name := range []string{"a", "b", "c"} {
		start(name)
	}
	f.awaitGroup(3, f.in, rows)
	f.awaitOutput(pairs)
	start("d")
	f.awaitGroup(4, f.in, rows)
	f.awaitOutput(pairs)
	f.must(running[0].Stop(f.ctx))
	f.awaitGroup(3, f.in, rows)
	f.awaitOutput(pairs)

	enough()
	fed.Wait()
	f.must(pairs.err)
	f.checkJoined(pairs)
	for _, p := range running[1:] {
		f.must(p.Stop(f.ctx))
	}
}

func (f *fixture) joiner(name, rows string) *program.Service {
	f.Helper()
	return program.New(f, name, program.Build(f, joiner),
		"-application="+f.app, "-brokers="+strings.Join(f.seeds, ","), "-state="+f.state(name),
		"-records="+f.in, "-rows="+rows, "-output="+f.out)
}

// awaitGroup waits until n members share all partitions, and checks that each has the same ones of both topics.
func (f *fixture) awaitGroup(n int, records, rows string) {
	f.Helper()
	ctx, cancel := context.WithTimeoutCause(f.ctx, 30*time.Second, errors.New("the group does not settle"))
	defer cancel()
	for {
		assigned, err := f.assigned(ctx) // an error passes: there may be no coordinator yet
		total := 0
		for member, topics := range assigned {
			if !slices.Equal(topics[records], topics[rows]) {
				f.Fatalf("%s has parted inputs: %v", member, topics)
			}
			if len(topics[rows]) > 0 {
				total += len(topics[rows])
			} else {
				delete(assigned, member)
			}
		}
		if len(assigned) == n && total == joinPartitions {
			f.Logf("%d members: %v", n, slices.Collect(maps.Values(assigned)))
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			f.Fatal(context.Cause(ctx), assigned, err)
		}
	}
}

// assigned are the partitions of each member of the group, by topic.
func (f *fixture) assigned(ctx context.Context) (map[string]map[string][]int32, error) {
	groups, err := f.topics.Admin.DescribeGroups(ctx, f.app)
	if err != nil {
		return nil, err
	}
	assigned := make(map[string]map[string][]int32)
	if groups[f.app].State != "Stable" {
		return assigned, nil
	}
	for _, m := range groups[f.app].Members {
		got, ok := m.Assigned.AsConsumer()
		if !ok {
			continue
		}
		assigned[m.MemberID] = make(map[string][]int32)
		for _, t := range got.Topics {
			assigned[m.MemberID][t.Topic] = slices.Sorted(slices.Values(t.Partitions))
		}
	}
	return assigned, nil
}

// pairs are rows and records. Each row is followed by a record of the same number and key, one unit of time later.
type pairs struct {
	client        *kgo.Client
	records, rows string
	n             int // pairs; guarded by mu while run runs
	mu            sync.Mutex
	err           error // set when run has returned
}

const (
	joinKeys  = 60
	joinPause = 2 * time.Millisecond
)

func (ps *pairs) run(ctx context.Context) {
	epoch := time.Now()
	write := func(topic string, key, value, at int) {
		r := &kgo.Record{Topic: topic, Key: fmt.Append(nil, key), Value: fmt.Append(nil, value), Timestamp: epoch.Add(time.Duration(at) * time.Millisecond)}
		ps.client.Produce(context.WithoutCancel(ctx), r, func(_ *kgo.Record, err error) { ps.err = cmp.Or(ps.err, err) })
	}
	tick := time.NewTicker(joinPause)
	defer tick.Stop()
	for ctx.Err() == nil {
		n := ps.written()
		write(ps.rows, n%joinKeys, n, 2*n)
		write(ps.records, n%joinKeys, n, 2*n+1)
		ps.mu.Lock()
		ps.n++
		ps.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	for key := range joinKeys { // so that no partition's last record waits for another row
		write(ps.rows, key, -1, 2*ps.n)
	}
	if err := ps.client.Flush(context.WithoutCancel(ctx)); err != nil {
		ps.err = err
	}
}

func (ps *pairs) written() int {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.n
}

// awaitOutput waits until as much is joined as is written now, about: until the output has grown by that.
func (f *fixture) awaitOutput(ps *pairs) {
	f.Helper()
	want := int64(ps.written())
	for {
		spans, err := f.topics.Spans(f.ctx, f.out)
		f.must(err)
		var got int64
		for _, s := range spans {
			got += s.End
		}
		if got >= want {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-f.ctx.Done():
			f.Fatalf("%d of %d are joined", got, want)
		}
	}
}

// checkJoined reads until every record is joined, each once and with the row of its own number.
func (f *fixture) checkJoined(ps *pairs) {
	f.Helper()
	r, err := f.topics.Reader(f.out)
	f.must(err)
	defer r.Close()
	seen := make(map[string]bool)
	check := func(r *kgo.Record) error {
		record, row, _ := strings.Cut(string(r.Value), " ")
		if record != row || seen[record] {
			return fmt.Errorf("%s[%d] at %d: record %s met row %s; seen before: %v", r.Topic, r.Partition, r.Offset, record, row, seen[record])
		}
		seen[record] = true
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(f.ctx, 30*time.Second, errors.New("not everything was joined"))
	defer cancel()
	for len(seen) < ps.n {
		records, err := r.Next(ctx)
		if err != nil {
			f.Fatal(err, context.Cause(ctx), len(seen), ps.n)
		}
		f.must(each(records, check))
	}
	f.must(r.Rest(f.ctx, check))
	f.Logf("%d records met their rows", len(seen))
}
