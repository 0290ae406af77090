package instance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/changelog"
	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
)

// globals are the global tables of the process: they are filled before it joins the
// group, and followed by one goroutine from then on.
type globals struct {
	in     *Instance
	tables map[string]*task.Whole // by store
	reader *changelog.Reader
	keeps  map[string]time.Duration // how long the topics keep deletions, at least
	filled bool                     // and are followed now

	mu struct { // a reader applies what different brokers send at the same time
		sync.Mutex
		at    map[kafka.TopicPartition]engine.Position // its time is 0 before the first batch of a table that is filled anew
		tides map[kafka.TopicPartition]tide            // what makes the positions current
	}
}

// openGlobals fills the global tables up to what is committed on their topics now.
func (in *Instance) openGlobals(ctx context.Context) error {
	specs := in.cfg.Plan.Globals
	if len(specs) == 0 {
		return nil
	}
	cl, err := kgo.NewClient(in.clientOptions("global")...)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	in.clients = append(in.clients, cl)
	g := &globals{in: in, tables: map[string]*task.Whole{}, keeps: map[string]time.Duration{}}
	g.reader = changelog.NewReader(cl, changelog.Config{
		RequestBytes: in.cfg.replayed(),
		Stalled:      func(s changelog.Stall) { in.log.Warn("global table waits", "why", s.String()) },
	})
	for _, spec := range specs {
		if g.tables[spec.Store], err = spec.Open(in.engine, task.GlobalEnv{App: in.cfg.App, Decode: in.cfg.Policies.Decode, Left: in.leave}); err != nil {
			return err
		}
	}
	in.globals = g
	configs, err := kafka.TopicConfigs(ctx, in.admin, topicsOf(specs), deletionsKept)
	if err != nil {
		return fmt.Errorf("global tables: %w", err)
	}
	for topic := range configs {
		g.keeps[topic] = keepsDeletions(configs[topic])
	}
	for attempt := 0; ; attempt++ {
		err := g.fill(ctx)
		tp, lost := lostGround(err)
		if err == nil {
			return g.readable()
		}
		if !lost || attempt > 3 {
			return err
		}
		in.log.Info("local state is not used", "topic", tp, "why", err)
		if err := g.wipe(tp.Topic); err != nil {
			return err
		}
	}
}

func topicsOf(specs []task.Global) (topics []string) {
	for _, g := range specs {
		topics = append(topics, g.Topic)
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// shared are the tables by store.
func (g *globals) shared() map[string]*state.Shared {
	if g == nil {
		return nil
	}
	out := map[string]*state.Shared{}
	for name, t := range g.tables {
		out[name] = t.Shared
	}
	return out
}

func (g *globals) partitions(topic string) int32 { return g.in.topics[topic].Partitions }

// fill reads the topics from where local state ends.
func (g *globals) fill(ctx context.Context) error {
	began := time.Now()
	g.mu.tides = map[kafka.TopicPartition]tide{}
	var tps []kafka.TopicPartition
	for _, topic := range topicsOf(g.in.cfg.Plan.Globals) {
		for p := range g.partitions(topic) {
			tps = append(tps, kafka.TopicPartition{Topic: topic, Partition: p})
		}
	}
	begins, ends, err := kafka.Bounds(ctx, g.in.admin, kafka.LastStable, tps)
	if err != nil {
		return fmt.Errorf("global tables: log starts and ends: %w", err)
	}
	for tp, end := range ends {
		g.mu.tides[tp] = tide{end, began}
	}
	if err := g.trust(begins, ends); err != nil {
		return err
	}
	if err := g.reader.Run(ctx, g.targets(func(tp kafka.TopicPartition) int64 { return ends[tp] }), g.apply); err != nil {
		return err
	}
	g.in.log.Info("filled global tables", "tables", slices.Sorted(maps.Keys(g.tables)), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// readable sees whether the serdes can read what the tables hold, and all of the topics.
func (g *globals) readable() (err error) {
	for _, spec := range g.in.cfg.Plan.Globals {
		t := g.tables[spec.Store]
		err = errors.Join(err, g.in.pulses.look("global", spec.Store, t.Readable))
		for p := range g.partitions(spec.Topic) {
			err = errors.Join(err, t.Unread(p))
		}
	}
	return err
}

// trust finds out how far local state is to be trusted: a table of which one partition
// is not is filled anew.
func (g *globals) trust(begins, ends map[kafka.TopicPartition]int64) error {
	g.mu.at = map[kafka.TopicPartition]engine.Position{}
	for tp, begin := range begins {
		g.mu.at[tp] = engine.Position{Topic: g.in.topics[tp.Topic].ID, Offset: begin}
	}
	for _, topic := range topicsOf(g.in.cfg.Plan.Globals) {
		found, why, err := g.found(topic, begins, ends)
		if err != nil {
			return err
		}
		if why == "" {
			maps.Copy(g.mu.at, found)
			continue
		}
		g.in.log.Info("local state is not used", "topic", topic, "why", why)
		if err := g.wipe(topic); err != nil {
			return err
		}
	}
	return nil
}

// found is where the tables of a topic stand, or why they are not to be used. Of
// several tables the one that is behind the others counts.
func (g *globals) found(topic string, begins, ends map[kafka.TopicPartition]int64) (at map[kafka.TopicPartition]engine.Position, why string, err error) {
	at = map[kafka.TopicPartition]engine.Position{}
	for _, s := range g.of(topic) {
		if err := g.in.pulses.look("global", s.Place(0).Node, s.Readable); err != nil && s.PassesOver(err) {
			return nil, err.Error(), nil
		}
		for p := range g.partitions(topic) {
			tp := kafka.TopicPartition{Topic: topic, Partition: p}
			pos, ok, err := s.Position(p)
			if err != nil {
				return nil, "", err
			}
			if !ok {
				return nil, fmt.Sprintf("nothing is known of partition %d", p), nil
			}
			if why := distrustGlobal(pos, g.in.topics[topic].ID, g.keeps[topic], begins[tp], ends[tp]); why != "" {
				return nil, why, nil
			}
			if have, ok := at[tp]; ok {
				pos.Offset, pos.Time = min(pos.Offset, have.Offset), min(pos.Time, have.Time)
			}
			at[tp] = pos
		}
	}
	return at, "", nil
}

// distrustGlobal returns why what was read up to p is not to be used; "" if it is.
func distrustGlobal(p engine.Position, id [16]byte, keeps time.Duration, begin, end int64) string {
	age := time.Since(time.UnixMilli(p.Time))
	switch {
	case p.Topic != id:
		return "the topic was created anew"
	case p.Offset > end:
		return fmt.Sprintf("it is at %d, beyond the topic's end, %d", p.Offset, end)
	case p.Offset < begin:
		return fmt.Sprintf("it is at %d, below the topic's start, %d", p.Offset, begin)
	case age > keeps && p.Offset < end:
		return fmt.Sprintf("it is %v old: the topic may have dropped deletions since", age.Round(time.Minute))
	}
	return ""
}

// of are the tables that a topic fills.
func (g *globals) of(topic string) (tables []*task.Whole) {
	for _, spec := range g.in.cfg.Plan.Globals {
		if spec.Topic == topic {
			tables = append(tables, g.tables[spec.Store])
		}
	}
	return tables
}

func (g *globals) wipe(topic string) error {
	for _, s := range g.of(topic) {
		if err := s.Wipe(g.partitions(topic)); err != nil {
			return err
		}
	}
	return nil
}

func (g *globals) targets(until func(kafka.TopicPartition) int64) (targets []changelog.Target) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for tp, at := range g.mu.at {
		targets = append(targets, changelog.Target{TopicPartition: tp, TopicID: at.Topic, From: at.Offset, Until: until(tp)})
	}
	return targets
}

// current is how often it is written down that a position is still the end of the log.
const current = 10 * time.Second

// apply takes what is new in a partition into its tables.
func (g *globals) apply(b changelog.Batch) error {
	g.mu.Lock()
	at, tide := g.mu.at[b.TopicPartition], g.mu.tides[b.TopicPartition]
	g.mu.Unlock()
	known := cmp.Or(at.Time, tide.at.UnixMilli())
	if g.filled {
		known = tide.follow(b.Next, b.End, known)
	} else {
		known = tide.reached(b.Next, known)
	}
	if b.Next == at.Offset && at.Time != 0 && known-at.Time < current.Milliseconds() {
		return nil
	}
	at.Offset, at.Time = b.Next, known
	for _, t := range g.of(b.Topic) {
		if err := t.Apply(b.Partition, messagesOf(g.in.pulses.each(t.Place(b.Partition), b)), at); err != nil {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.at[b.TopicPartition], g.mu.tides[b.TopicPartition] = at, tide
	return nil
}

// messagesOf are records as tasks know them.
func messagesOf(records iter.Seq[changelog.Record]) iter.Seq[task.Message] {
	return func(yield func(task.Message) bool) {
		for r := range records {
			if !yield(messageOf(r)) {
				return
			}
		}
	}
}

func messageOf(r changelog.Record) task.Message {
	m := task.Message{Key: r.Key, Value: r.Value, Time: r.Time, Offset: r.Offset, Epoch: -1}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, task.Header{Key: h.Key, Value: h.Value})
	}
	return m
}

// follow keeps the tables up with their topics.
func (g *globals) follow(ctx context.Context) error {
	g.filled = true
	err := g.reader.Run(ctx, g.targets(func(kafka.TopicPartition) int64 { return changelog.Forever }), func(b changelog.Batch) error {
		err := g.apply(b)
		for _, t := range g.of(b.Topic) {
			err = errors.Join(err, t.Unread(b.Partition))
		}
		return err
	})
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("global tables: %w", err)
}
