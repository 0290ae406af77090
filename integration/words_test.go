package integration

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/integration/internal/program"
	"github.com/leatstream/leat/integration/internal/topics"
	"github.com/leatstream/leat/integration/internal/wordcount"
)

// feed writes lines to the input, so many per second, until the returned function is called, which returns the words
// that were written.
func (f *fixture) feed(rate int) (enough func() wordcount.Counts) { return f.feedLong(rate, "") }

// feedLong is feed with common words that end with pad.
func (f *fixture) feedLong(rate int, pad string) (enough func() wordcount.Counts) {
	feed := &wordcount.Feed{Client: f.topics.Client, Topic: f.in, Rand: rand.New(rand.NewPCG(f.rnd.Uint64(), 0)), Rate: rate, Pad: pad}
	ctx, cancel := context.WithCancel(f.ctx)
	var err error
	var done sync.WaitGroup
	done.Go(func() { err = feed.Run(ctx) })
	f.Cleanup(func() { cancel(); done.Wait() })
	return func() wordcount.Counts {
		f.Helper()
		cancel()
		done.Wait()
		f.must(err)
		return feed.Written
	}
}

// start starts a service.
func (f *fixture) start(s *program.Service) *program.Process {
	f.Helper()
	p, err := s.Start()
	f.must(err)
	return p
}

// awaitTasks waits until n tasks run in each of the processes.
func (f *fixture) awaitTasks(n int, processes ...*program.Process) {
	f.Helper()
	for _, p := range processes {
		_, err := p.AwaitMetric(f.ctx, `leat_tasks{state="running"}`, func(running float64) bool { return int(running) == n })
		f.must(err)
	}
}

// checkCounts waits until all words that were written are counted, stops the processes that do it, and compares.
func (f *fixture) checkCounts(written wordcount.Counts, g wordcount.Guarantee, running ...*program.Process) {
	f.Helper()
	reader, err := f.topics.Reader(f.out)
	f.must(err)
	defer reader.Close()
	counted := wordcount.NewUpdates(g)
	f.awaitCounts(reader, counted, written)
	for _, p := range running {
		f.must(p.Stop(f.ctx))
	}
	f.must(reader.Rest(f.ctx, counted.Add))
	f.must(written.Diff(counted.Last, g))

	changelog := wordcount.NewUpdates(wordcount.AtLeastOnce) // it has a word's last count of each commit
	f.must(f.topics.All(f.ctx, f.app+"-counts-changelog", changelog.Add))
	f.must(counted.Last.Diff(changelog.Last, wordcount.ExactlyOnce))
	f.Logf("%d words, counted %d times", written.Total(), counted.Seen)
}

// awaitCounts reads until every word's count is at least what it should be.
func (f *fixture) awaitCounts(r *topics.Reader, counted *wordcount.Updates, written wordcount.Counts) {
	f.Helper()
	ctx, cancel := context.WithTimeoutCause(f.ctx, time.Minute, errors.New("not everything was counted"))
	defer cancel()
	total := written.Total()
	for counted.Seen < total || written.Diff(counted.Last, wordcount.AtLeastOnce) != nil {
		records, err := r.Next(ctx)
		if err != nil {
			f.Fatal(err, context.Cause(ctx), written.Diff(counted.Last, wordcount.AtLeastOnce))
		}
		f.must(each(records, counted.Add))
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
