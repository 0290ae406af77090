// Package demo counts the words of a text with a broker, a runtime and clients
// that all live in one process.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/cmd/processor/internal/service"
	"github.com/leatstream/leat/cmd/processor/internal/topologies"
	"github.com/leatstream/leat/internal/embedded"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/streams"
)

// Options say what to count.
type Options struct {
	Input    io.Reader
	Progress io.Writer
	Logger   *slog.Logger
}

// A Result is what was counted.
type Result struct {
	Lines, Words int64
	Table        []Entry // by count, then by word
	Took         time.Duration
}

// wordLimit is the largest record that the topology may write: a word of
// lineLimit bytes can be half as long again in lower case.
const wordLimit = 2 << 20

const partitions = 4

// Run writes the input to a topic, runs the topology wordcount on it, and reads
// the table of counts from its output topic until it holds every word.
func Run(ctx context.Context, o Options) (res Result, err error) {
	start := time.Now()
	top, _ := topologies.Find("wordcount")
	names := top.Defaults()
	dir, err := os.MkdirTemp("", "leat-demo-")
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b, err := embedded.Start(embedded.Options{
		Topics:          map[string]int32{names["input"]: partitions, names["output"]: partitions},
		MaxMessageBytes: 2 * wordLimit,
		OnDisk:          true,
		Logger:          o.Logger,
	})
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	app, err := newApp(top, b.Addrs(), dir, o.Logger)
	if err != nil {
		return Result{}, err
	}
	s := session{app: app, brokers: b.Addrs(), topics: names, in: o.Input, progress: newProgress(o.Progress)}
	t, err := s.count(ctx)
	if err != nil {
		return Result{}, err
	}
	return Result{Lines: s.feed.lines.Load(), Words: t.sum, Table: t.entries(), Took: time.Since(start)}, nil
}

// A session is one text on its way.
type session struct {
	app      *streams.App
	brokers  []string
	topics   map[string]string // by their part
	in       io.Reader
	progress *progress
	feed     feed
}

func newApp(top topologies.Topology, brokers []string, dir string, log *slog.Logger) (*streams.App, error) {
	t, err := top.Build(top.Defaults())
	if err != nil {
		return nil, err
	}
	c := config.Default()
	c.Application, c.Topology = "demo", top.Name
	c.Kafka.Brokers = brokers
	c.State.Dir = filepath.Join(dir, "state")
	c.Processing.MaxRecordBytes = wordLimit
	settings, err := service.Settings(c, log)
	if err != nil {
		return nil, err
	}
	return streams.New(t, settings)
}

// count runs the feed, the topology and the reader of its output, all at once,
// until the reader has seen every word of the feed. The first error ends them. A
// feed that waits for its input then is not waited for: there may never be more.
func (s *session) count(ctx context.Context) (*tally, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := s.app.Run(ctx)
		cancel(cmp.Or(err, errors.New("the topology has ended before its input")))
		ended <- err
	}()
	go func() {
		if err := s.feed.run(ctx, s.brokers, s.topics["input"], s.in); err != nil {
			cancel(err)
		}
	}()
	t, err := s.read(ctx)
	cancel(err)
	return t, cmp.Or(err, <-ended)
}

// read follows the output topic. It is at its end when the counts add up to the
// words of the feed: each word raises one count by one, once.
func (s *session) read(ctx context.Context) (*tally, error) {
	defer s.progress.clear()
	c, err := kgo.NewClient(
		kgo.SeedBrokers(s.brokers...),
		kgo.ConsumeTopics(s.topics["output"]),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(100*time.Millisecond),
	)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	t := &tally{counts: map[string]int64{}}
	for !s.feed.done.Load() || t.sum < s.feed.words.Load() {
		if err := poll(ctx, c, t); err != nil {
			return nil, err
		}
		s.progress.show(&s.feed, t.sum)
	}
	if words := s.feed.words.Load(); t.sum > words {
		return nil, fmt.Errorf("the input has %d words and %d were counted: please report this", words, t.sum)
	}
	return t, nil
}

// poll takes what there is into the table. It waits a moment for something.
func poll(ctx context.Context, c *kgo.Client, t *tally) error {
	wait, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	fetches := c.PollFetches(wait)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var failed error
	fetches.EachError(func(topic string, p int32, err error) {
		if !errors.Is(err, context.DeadlineExceeded) {
			failed = errors.Join(failed, fmt.Errorf("%s[%d]: %w", topic, p, err))
		}
	})
	fetches.EachRecord(func(r *kgo.Record) {
		n, err := serde.Int64.Decode(r.Value)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s[%d]@%d: %w", r.Topic, r.Partition, r.Offset, err))
		}
		t.set(string(r.Key), n)
	})
	return failed
}
