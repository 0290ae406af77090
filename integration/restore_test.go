package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/integration/internal/program"
	"github.com/leatstream/leat/integration/internal/wordcount"
	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/pkg/store/pebble"
)

const (
	restorePartitions = 4
	keys              = 1_000_000
	hotKeys           = 10_000
	hotRate           = 1000 // updates per second
	flushInterval     = 2 * time.Second
)

// TestRestartReplaysTheTail: a process with a million keys of state is killed with -9, once when its stores have been
// idle and once while they are written. When it starts again it replays only what its engine has not got, be that
// nothing, and never the whole changelog.
func TestRestartReplaysTheTail(t *testing.T) {
	t.Parallel()
	f := setup(t, "restore", restorePartitions)
	svc := f.processor("a", "count", "--state.flush_interval="+flushInterval.String())
	p := f.start(svc)

	f.must(f.writeKeys(keys))
	f.idle()
	f.must(f.writeKeys(100)) // a batch so small that it might be held back
	f.idle()
	p = f.restart(svc, p, "idle", 0)

	hot := newHotUpdates(f)
	updating, enough := context.WithCancel(f.ctx)
	var updated sync.WaitGroup
	updated.Go(func() { hot.run(updating) })
	time.Sleep(2*flushInterval + time.Duration(f.rnd.Int64N(int64(2*flushInterval))))
	p = f.restart(svc, p, "hot", keys/20)
	enough()
	updated.Wait()
	f.must(hot.err)
	f.awaitConsumed()
	f.must(p.Stop(f.ctx))
	f.checkHot(hot.counts)
}

// idle waits until the engine has all that was written to the input. Nothing shows that from outside: it is the flush
// interval and some patience.
func (f *fixture) idle() {
	f.Helper()
	f.awaitConsumed()
	time.Sleep(flushInterval + 3*time.Second)
}

// restart kills p and starts its service again, which must replay no more than what the changelog holds beyond the
// last engine batch, nor more than limit.
func (f *fixture) restart(svc *program.Service, p *program.Process, when string, limit int64) *program.Process {
	f.Helper()
	p.Kill()
	positions := f.positions("a")
	var changelog, tail int64
	f.must(f.topics.All(f.ctx, f.app+"-counts-changelog", func(r *kgo.Record) error {
		changelog++
		if r.Offset >= positions[r.Partition] {
			tail++
		}
		return nil
	}))
	p = f.start(svc)
	lines, err := p.Await(f.ctx, "restored store", restorePartitions)
	f.must(err)
	var replayed int64
	for _, l := range lines {
		replayed += l.Number("records")
		if at := positions[int32(l.Number("partition"))]; l.Number("from") < at {
			f.Errorf("%s: partition %d is replayed from %d; the engine is at %d", when, l.Number("partition"), l.Number("from"), at)
		}
	}
	f.Logf("%s: %d records replayed, %d committed since the last engine batch, %d in the changelog", when, replayed, tail, changelog)
	if changelog < keys {
		f.Errorf("%s: the changelog has only %d records", when, changelog)
	}
	if replayed > tail || replayed > limit {
		f.Errorf("%s: %d records replayed: more than %d, or than those since the last engine batch, %d", when, replayed, limit, tail)
	}
	return p
}

// positions are the changelog offsets that the engine of a dead process is at, by partition.
func (f *fixture) positions(name string) map[int32]int64 {
	f.Helper()
	e, err := pebble.Open(filepath.Join(f.state(name), "engine"), pebble.Options{})
	f.must(err)
	defer e.Close()
	positions := make(map[int32]int64)
	for p := range int32(restorePartitions) {
		at, _, err := e.Position(engine.Namespace{Store: "counts", Partition: p})
		f.must(err)
		positions[p] = at.Offset
	}
	return positions
}

func key(i int) []byte { return fmt.Appendf(nil, "key-%07d", i) }

// writeKeys writes n records of different keys.
func (f *fixture) writeKeys(n int) error {
	var failed error
	for i := range n {
		f.topics.Client.Produce(f.ctx, &kgo.Record{Topic: f.in, Key: key(i), Value: []byte("x")}, func(_ *kgo.Record, err error) {
			if failed == nil {
				failed = err
			}
		})
	}
	return errors.Join(f.topics.Client.Flush(f.ctx), failed)
}

// hotUpdates write records of a few of the keys.
type hotUpdates struct {
	*fixture
	counts wordcount.Counts // what they must be
	err    error            // set when run has returned
}

func newHotUpdates(f *fixture) *hotUpdates {
	h := &hotUpdates{fixture: f, counts: make(wordcount.Counts)}
	for i := range hotKeys {
		h.counts[string(key(i))] = 1
	}
	for i := range 100 {
		h.counts[string(key(i))]++
	}
	return h
}

func (h *hotUpdates) run(ctx context.Context) {
	rnd := rand.New(rand.NewPCG(h.rnd.Uint64(), 0))
	tick := time.NewTicker(time.Second / hotRate)
	defer tick.Stop()
	for ctx.Err() == nil {
		k := key(rnd.IntN(hotKeys))
		h.counts[string(k)]++
		h.topics.Client.Produce(h.ctx, &kgo.Record{Topic: h.in, Key: k, Value: []byte("x")}, func(_ *kgo.Record, err error) {
			if h.err == nil {
				h.err = err
			}
		})
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	if err := h.topics.Client.Flush(h.ctx); err != nil {
		h.err = err
	}
}

// checkHot checks the counts of the hot keys.
func (f *fixture) checkHot(want wordcount.Counts) {
	f.Helper()
	got := wordcount.NewUpdates(wordcount.ExactlyOnce)
	f.must(f.topics.All(f.ctx, f.out, func(r *kgo.Record) error {
		if want[string(r.Key)] == 0 {
			return nil
		}
		return got.Add(r)
	}))
	f.must(want.Diff(got.Last, wordcount.ExactlyOnce))
}

// lag is how many records of its input the application has not committed.
func (f *fixture) lag() (lag int64) {
	f.Helper()
	committed, err := f.topics.Admin.FetchOffsets(f.ctx, f.app)
	f.must(err)
	spans, err := f.topics.Spans(f.ctx, f.in)
	f.must(err)
	for p, span := range spans {
		at, _ := committed.Lookup(f.in, p)
		lag += span.End - max(at.At, 0)
	}
	return lag
}

// awaitConsumed waits until the application has committed the ends of its input.
func (f *fixture) awaitConsumed() {
	f.Helper()
	for {
		lag := f.lag()
		if lag == 0 {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-f.ctx.Done():
			f.Fatalf("%d records are not processed", lag)
		}
	}
}
