package instance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/changelog"
	"github.com/leatstream/leat/internal/fetch"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/offsetmeta"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/worker"
)

// logs are what a restore asks of Kafka.
type logs interface {
	FetchStable(ctx context.Context, tps []kafka.TopicPartition) (map[kafka.TopicPartition]kafka.Committed, error)
	FetchCommitted(ctx context.Context, tps []kafka.TopicPartition) (map[kafka.TopicPartition]kafka.Committed, error)
	Bounds(ctx context.Context, end kafka.LogPoint, tps []kafka.TopicPartition) (begins, ends map[kafka.TopicPartition]int64, err error)
}

// A replayer reads changelogs: a changelog.Reader.
type replayer interface {
	Run(ctx context.Context, targets []changelog.Target, apply func(changelog.Batch) error) error
}

// brokers are real logs.
type brokers struct {
	admin *kgo.Client
	group *kafka.Group
}

func (b brokers) FetchStable(ctx context.Context, tps []kafka.TopicPartition) (map[kafka.TopicPartition]kafka.Committed, error) {
	return b.group.FetchStable(ctx, b.admin, tps)
}

func (b brokers) FetchCommitted(ctx context.Context, tps []kafka.TopicPartition) (map[kafka.TopicPartition]kafka.Committed, error) {
	return b.group.FetchCommitted(ctx, b.admin, tps)
}

func (b brokers) Bounds(ctx context.Context, end kafka.LogPoint, tps []kafka.TopicPartition) (begins, ends map[kafka.TopicPartition]int64, err error) {
	return kafka.Bounds(ctx, b.admin, end, tps)
}

// restores is how many tasks restore at a time.
const restores = 4

// openReaders makes the readers of changelogs, each with a client of its own: a
// broker answers the fetches of one client one after the other.
func (in *Instance) openReaders() error {
	in.idle = make(chan *changelog.Reader, restores)
	for i := range restores {
		cl, err := kgo.NewClient(in.clientOptions(fmt.Sprint("restore-", i))...)
		if err != nil {
			return fmt.Errorf("client: %w", err)
		}
		in.clients = append(in.clients, cl)
		r := changelog.NewReader(cl, in.readerConfig())
		in.readers = append(in.readers, r)
		in.idle <- r
	}
	return nil
}

// connect has the clients that read make their connections while the group decides which
// tasks there are to read for: each of those waits for less then.
func (in *Instance) connect() {
	if in.isStopping() || !in.connecting.CompareAndSwap(false, true) {
		return
	}
	var inputs, changelogs []string
	for _, sub := range in.layout.Subs {
		inputs = append(inputs, sub.Topics...)
		for _, s := range sub.Stores {
			if topic, _, ok := s.Changelog(in.cfg.App); ok {
				changelogs = append(changelogs, topic)
			}
		}
	}
	in.wg.Go(func() {
		defer in.connecting.Store(false)
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { in.fetcher.Connect(in.ctx, inputs) })
		for _, r := range in.readers {
			wg.Go(func() { r.Connect(in.ctx, changelogs) })
		}
	})
}

func (in *Instance) readerConfig() changelog.Config {
	return changelog.Config{
		RequestBytes: in.cfg.replayed(),
		Stalled:      func(s changelog.Stall) { in.log.Warn("restore waits", "why", s.String()) },
	}
}

// restore makes the run of a slot: its stores up to the end of their changelogs,
// its inputs where the group committed them. Whoever had the task before has been
// fenced. The order is what makes it exact: committed offsets first, once no
// transaction on them is open, then the changelogs' ends, whatever is committed of
// them; for the markers of one transaction do not appear everywhere at once
// (KAFKA-10167).
//
// A process that has lost the task and does not know it yet may find no offsets, and
// then, at the changelog's end, the first transaction of the task's new owner. Asked
// again, the group has that transaction's offsets.
func (in *Instance) restore(s *slot, reader replayer) (*worker.Run, error) {
	run, err := in.restoreOnce(s, reader)
	if errors.Is(err, errLostOffsets) {
		run, err = in.restoreOnce(s, reader)
	}
	return run, err
}

func (in *Instance) restoreOnce(s *slot, reader replayer) (*worker.Run, error) {
	inputs := s.inputs()
	committed, err := in.logs.FetchStable(s.ctx, inputs)
	if err != nil {
		return nil, fmt.Errorf("committed offsets: %w", err)
	}
	starts, err := in.startPoints(s, inputs, committed)
	if err != nil {
		return nil, err
	}
	if err := in.openStores(s); err != nil {
		return nil, err
	}
	if err := in.replay(s, reader, starts); err != nil {
		return nil, err
	}
	return in.makeRun(s, inputs, starts)
}

// inputs are the partitions that the task reads.
func (s *slot) inputs() (tps []kafka.TopicPartition) {
	for _, topic := range s.sub.Inputs(s.task.Partition) {
		tps = append(tps, kafka.TopicPartition{Topic: topic, Partition: s.task.Partition})
	}
	return tps
}

// A start is where an input goes on from.
type start struct {
	offset    int64
	committed bool  // it is where the group committed it
	end       int64 // of the partition: the last stable offset
	meta      offsetmeta.Metadata
}

// startPoints are where the inputs go on from: as committed, else as their source
// says. A committed offset that the topic does not hold any more is an error: what
// was there is lost, and only the operator can say that this is well.
func (in *Instance) startPoints(s *slot, inputs []kafka.TopicPartition, committed map[kafka.TopicPartition]kafka.Committed) (map[kafka.TopicPartition]start, error) {
	first, end, err := in.logs.Bounds(s.ctx, kafka.LastStable, inputs)
	if err != nil {
		return nil, fmt.Errorf("log starts and ends: %w", err)
	}
	starts := map[kafka.TopicPartition]start{}
	for i, topic := range s.sub.Inputs(s.task.Partition) {
		tp := kafka.TopicPartition{Topic: topic, Partition: s.task.Partition}
		st := start{offset: first[tp], end: end[tp], meta: offsetmeta.Metadata{PartitionTime: offsetmeta.Unknown}}
		if c, ok := committed[tp]; ok {
			st.committed = true
			if st.offset = c.Offset; st.offset < first[tp] {
				return nil, fmt.Errorf("%s[%d]: the committed offset %d is below the start of the log, %d: records were deleted before they were processed; raise the topic's retention, and set the group's offsets to where it should go on", tp.Topic, tp.Partition, st.offset, first[tp])
			}
			if st.meta, err = offsetmeta.Decode(c.Metadata); err != nil {
				in.log.Warn("the times committed with an offset cannot be read; they start anew", "topic", tp.Topic, "partition", tp.Partition, "err", err)
				st.meta = offsetmeta.Metadata{PartitionTime: offsetmeta.Unknown}
			}
		} else if hadOffset(s.sub, s.task.Partition, committed) {
			return nil, in.lostOffset(tp)
		} else if st.offset, err = in.begin(s, s.sub.Sources[i].Start, tp, st); err != nil {
			return nil, err
		}
		starts[tp] = st
	}
	return starts, nil
}

// begin is where a partition that has no committed offset is read from.
func (in *Instance) begin(s *slot, at task.Start, tp kafka.TopicPartition, st start) (int64, error) {
	back, ok := at.Back()
	switch {
	case at == task.Latest:
		return st.end, nil
	case at == task.Nowhere:
		return 0, fmt.Errorf("%s: group %q has committed no offset, and the topology begins nowhere by itself: set one, with `processor reset --to` or Kafka's tools, or give the topic a place to begin", tp, in.cfg.App)
	case !ok:
		return st.offset, nil
	}
	since := time.Now().Add(-time.Duration(back) * time.Millisecond)
	offsets, err := kafka.ListOffsets(s.ctx, in.admin, kafka.NotBefore(since), []kafka.TopicPartition{tp})
	if err != nil {
		return 0, fmt.Errorf("%s: the first record since %s: %w", tp, since.Format(time.RFC3339), err)
	}
	return max(offsets[tp], st.offset), nil
}

// openStores opens the task's stores; those of a task whose transaction failed are
// open already, as they were at the last commit.
func (in *Instance) openStores(s *slot) error {
	if s.stores != nil {
		return nil
	}
	for _, spec := range s.sub.Stores {
		st, err := spec.Open(in.engine, in.cfg.App, s.task.Partition)
		if err != nil {
			return err
		}
		if _, _, restored := spec.Changelog(in.cfg.App); !restored {
			if err := st.Wipe(); err != nil { // what is left there fits no committed offset
				return err
			}
		}
		s.stores = append(s.stores, st)
	}
	return nil
}

// makeRun makes the task over its restored stores.
func (in *Instance) makeRun(s *slot, inputs []kafka.TopicPartition, starts map[kafka.TopicPartition]start) (*worker.Run, error) {
	next, idle := 0, in.cfg.MaxTaskIdle.Milliseconds()
	if in.cfg.MaxTaskIdle < 0 {
		idle = -1 // of any unit
	}
	began := time.Now()
	var looked atomic.Pointer[task.Store] // what it holds is looked at
	_, opened := in.pulses.enter(func() task.Error {
		e := task.Error{Task: s.task.String()}
		if spec := looked.Load(); spec != nil {
			e.Node = "store " + spec.Name
		}
		return e
	})
	t, err := task.New(s.sub.Sub, s.task.Partition, task.Env{
		App: in.cfg.App, Policies: in.cfg.Policies, MaxTaskIdle: idle, Behind: !in.cfg.ExactlyOnce,
		WallClock: time.Now().UnixMilli(), MaxRecord: in.cfg.MaxRecord, Counts: s.sub.Counts,
		Globals:    in.globals.shared(),
		Partitions: func(topic string) int32 { return in.topics[topic].Partitions },
		Opens: func(t *task.Task) {
			opened()
			_, opened = in.pulses.enter(t.Peek)
		},
	}, func(spec task.Store) (*state.Store, error) {
		looked.Store(&spec)
		next++
		return s.stores[next-1], nil
	})
	opened()
	if err != nil {
		return nil, err
	}
	if took := time.Since(began); took > time.Second {
		in.log.Info("read all of a store to see whether this build can decode it: values with versions need not be read", "task", s.task, "took", took.Round(time.Millisecond))
	}
	run := &worker.Run{Task: t, Claim: s.claim, Tag: s, Feeds: make([]*fetch.Feed, len(s.sub.Topics))}
	known := true
	for _, tp := range inputs {
		st := starts[tp]
		known = known && st.committed
		if err := t.Resume(tp.Topic, st.offset, st.meta); err != nil {
			return nil, err
		}
		i, _ := t.Source(tp.Topic)
		t.SetEnd(i, st.end)
		run.Feeds[i] = &fetch.Feed{Topic: tp.Topic, Partition: tp.Partition, From: st.offset, End: st.end, Source: i, To: s.worker.Inbox}
	}
	if !known { // where it begins must not be decided anew
		t.Touch()
		run.Begins = t.Points()
	}
	return run, nil
}

// present are the feeds that a run has.
func present(run *worker.Run) (feeds []*fetch.Feed) {
	for _, fd := range run.Feeds {
		if fd != nil {
			feeds = append(feeds, fd)
		}
	}
	return feeds
}
