package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/integration/internal/topics"
	"github.com/leatstream/leat/integration/internal/wordcount"
	"github.com/leatstream/leat/internal/failpoint"
)

// TestExactlyOnceAcrossKills: two processes count words over a repartition topic and are killed with -9 at random
// moments and at every point of a commit, while lines are written. Nothing is lost, nothing is counted twice.
func TestExactlyOnceAcrossKills(t *testing.T) {
	f := setup(t, "exactly-once", 4)
	run := f.countWords("exactly_once", failpoint.Points)
	if run.kills < 20 {
		t.Errorf("%d kills only", run.kills)
	}
	f.must(run.written.Diff(run.counted.Last, wordcount.Equal))

	changelog := wordcount.NewUpdates(false) // it has the last count of each commit
	f.must(f.topics.All(f.ctx, f.app+"-counts-changelog", changelog.Add))
	f.must(run.counted.Last.Diff(changelog.Last, wordcount.Equal))
}

// TestAtLeastOnceAcrossKills: without transactions a crash may repeat counts, but loses none.
func TestAtLeastOnceAcrossKills(t *testing.T) {
	t.Parallel()
	f := setup(t, "at-least-once", 4)
	run := f.countWords("at_least_once", []failpoint.Point{failpoint.Flushed, failpoint.EngineSet})
	f.must(run.written.Diff(run.counted.Last, wordcount.AtLeast))
}

// An outcome is what was written, and what was counted of it.
type outcome struct {
	written wordcount.Counts
	counted *wordcount.Updates
	kills   int
}

// countWords has two processes count while each of them is killed twice for each of the points, and returns when
// everything is counted.
func (f *fixture) countWords(guarantee string, points []failpoint.Point) outcome {
	f.Helper()
	began := time.Now()
	feed := &wordcount.Feed{Client: f.topics.Client, Topic: f.in, Rand: rand.New(rand.NewPCG(f.rnd.Uint64(), 0)), Rate: 1000}
	feeding, enough := context.WithCancel(f.ctx)
	var fed sync.WaitGroup
	fed.Go(func() {
		if err := feed.Run(feeding); err != nil {
			f.Error(err)
		}
	})
	victims := f.kill(guarantee, points)
	enough()
	fed.Wait()
	f.Logf("%d lines", feed.Lines)

	reader, err := f.topics.Reader(f.out)
	f.must(err)
	defer reader.Close()
	run := outcome{written: feed.Written, counted: wordcount.NewUpdates(guarantee == "exactly_once")}
	f.awaitCounts(reader, run)
	for _, v := range victims {
		run.kills += v.kills
		f.must(v.p.Stop(f.ctx))
	}
	f.must(reader.Rest(f.ctx, run.counted.Add))
	f.Logf("%d kills, %d updates, in all %v", run.kills, run.counted.Seen, time.Since(began).Round(time.Second))
	return run
}

// kill runs two victims until each has suffered at all points.
func (f *fixture) kill(guarantee string, points []failpoint.Point) (victims []*victim) {
	f.Helper()
	var all sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		v := &victim{
			svc: f.processor(name, "wordcount", "--processing.guarantee="+guarantee, "--state.flush_interval=1s"),
			rnd: rand.New(rand.NewPCG(f.rnd.Uint64(), 0)),
		}
		victims = append(victims, v)
		all.Go(func() {
			order := slices.Clone(points)
			v.rnd.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			if err := v.suffer(f.ctx, order); err != nil {
				f.Errorf("%s: %v", name, err)
			}
			f.Logf("%s: %d kills; first commit after %v", name, v.kills, v.took)
		})
	}
	all.Wait()
	if f.Failed() {
		f.FailNow()
	}
	return victims
}

// awaitCounts reads until every word's count is at least what it should be.
func (f *fixture) awaitCounts(r *topics.Reader, run outcome) {
	f.Helper()
	ctx, cancel := context.WithTimeoutCause(f.ctx, time.Minute, fmt.Errorf("not everything was counted"))
	defer cancel()
	total := run.written.Total()
	for run.counted.Seen < total || run.written.Diff(run.counted.Last, wordcount.AtLeast) != nil {
		records, err := r.Next(ctx)
		if err != nil {
			f.Fatal(err, context.Cause(ctx), run.written.Diff(run.counted.Last, wordcount.AtLeast))
		}
		f.must(each(records, run.counted.Add))
	}
}

func each(records []*kgo.Record, do func(*kgo.Record) error) error {
	for _, r := range records {
		if err := do(r); err != nil {
			return err
		}
	}
	return nil
}
