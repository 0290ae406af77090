package instance

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/layout"
	"github.com/leatstream/leat/internal/murmur"
	"github.com/leatstream/leat/internal/sim"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
)

// The oracle of a history is the same code over the same input without any fault: each
// task is run once more, on what its input partitions hold in the end, from beginning
// to end and never interrupted.

// check compares what is committed with what an uninterrupted run makes: every output
// once and in order, the state, and what the changelogs and the processes have of it.
func (w *simWorld) check() error {
	for _, sub := range w.layout.Subs {
		want := map[kafka.TopicPartition][][]string{} // by the task that writes
		for p := range sub.Partitions {
			w.rerun(&sub, p, want)
		}
		for _, sink := range sub.Sinks {
			if name := sink.Topic.Resolve(simApp); name != w.topology.ticks {
				for i, part := range w.s.Broker.Topic(name) {
					w.compare(part, want[kafka.TopicPartition{Topic: name, Partition: int32(i)}])
				}
			}
		}
	}
	for _, p := range w.alive() {
		for _, s := range p.slots {
			for _, st := range s.run.Task.Stores() {
				w.compareStores(p.host.Name+"'s store", st.State, w.folded(st.State.Namespace(), 1<<40))
			}
		}
	}
	w.checkTicks()
	w.checkSums()
	return w.s.Run(0, func() bool { return true })
}

// rerun runs one task without interruption, and adds what it writes to want.
func (w *simWorld) rerun(sub *layout.Sub, p int32, want map[kafka.TopicPartition][][]string) {
	eng := memory.New()
	t, err := task.New(sub.Sub, p, task.Env{App: simApp, Policies: w.topology.policies, MaxTaskIdle: -1, Counts: sub.Counts}, func(s task.Store) (*state.Store, error) {
		return state.Open(eng, engine.Namespace{Store: s.Name, Partition: p}, s.Layout)
	})
	if err != nil {
		panic(err)
	}
	for _, topic := range sub.Topics {
		part := w.s.Broker.Topic(topic)[p]
		recs, after := part.Read(0, 1<<30)
		i, _ := t.Source(topic)
		t.Enqueue(i, messages(recs), after, after)
	}
	out := map[kafka.TopicPartition][]string{}
	for more := true; more; {
		if more, err = t.Process(); err != nil {
			panic(err)
		}
		for _, o := range t.TakeOutput() {
			tp := kafka.TopicPartition{Topic: o.Topic, Partition: o.Partition}
			if tp.Partition < 0 {
				tp.Partition = murmur.Partition(o.Key, w.counts[o.Topic])
			}
			out[tp] = append(out[tp], line(&o))
		}
	}
	for tp, lines := range out {
		want[tp] = append(want[tp], lines)
	}
	t.Commit()
	for _, s := range t.Stores() {
		if s.Name != w.topology.ticks && s.Topic != "" {
			w.compareStores("the changelog of", w.folded(s.State.Namespace(), 1<<40), s.State)
		}
	}
}

func messages(recs []sim.Record) (ms []task.Message) {
	for _, r := range recs {
		ms = append(ms, task.Message{Key: r.Key, Value: r.Value, Time: r.Time, Offset: r.Offset, Headers: r.Headers})
	}
	return ms
}

func line(o *task.Output) string { return fmt.Sprintf("%q=%q at %d", o.Key, o.Value, o.Time) }

// compare checks that a partition holds what each of its writers should have written,
// in that writer's order, and nothing else.
func (w *simWorld) compare(part *sim.Partition, want [][]string) {
	for _, r := range part.Decided(part.End()) {
		got := line(&r.Output)
		i := slices.IndexFunc(want, func(lines []string) bool { return len(lines) > 0 && lines[0] == got })
		if i < 0 {
			w.s.Fail("%s[%d]@%d is %s by %v; to come is %q", part.Topic, part.Number, r.Offset, got, r.Txn, want)
			return
		}
		want[i] = want[i][1:]
	}
	for _, lines := range want {
		if len(lines) > 0 {
			w.s.Fail("%s[%d] lacks %q", part.Topic, part.Number, lines)
			return
		}
	}
}

// folded is what a store must be if its changelog is replayed up to an offset: the
// records of all transactions that have committed, whatever a reader can see of them.
func (w *simWorld) folded(ns engine.Namespace, below int64) *state.Store {
	for _, sub := range w.layout.Subs {
		for _, spec := range sub.Stores {
			topic, _, ok := spec.Changelog(simApp)
			if spec.Name != ns.Store || !ok {
				continue
			}
			s, err := state.Open(memory.New(), ns, spec.Layout)
			if err != nil {
				panic(err)
			}
			r, _ := state.NewRestorer(s)
			for _, rec := range w.s.Broker.Topic(topic)[ns.Partition].Decided(below) {
				if err := r.Apply(rec.Key, rec.Value, rec.Time); err != nil {
					w.s.Fail("%s[%d]@%d: %v", topic, ns.Partition, rec.Offset, err)
				}
			}
			if err := r.Write(engine.Position{}); err != nil {
				panic(err)
			}
			return s
		}
	}
	panic("no store " + ns.Store)
}

// checkStore is law 3: what a disk holds is the changelog up to its position.
func (w *simWorld) checkStore(eng engine.Engine, ns engine.Namespace, position int64) {
	w.checkAhead(ns, position)
	want := w.folded(ns, position)
	got, err := state.Open(eng, ns, want.Layout())
	if err != nil {
		panic(err)
	}
	w.compareStores(fmt.Sprintf("a disk at %d, of", position), got, want)
}

// checkAhead is rule 7: a table that is filled from a source of its task is not ahead of
// where the group has committed it.
func (w *simWorld) checkAhead(ns engine.Namespace, position int64) {
	for _, sub := range w.layout.Subs {
		for _, spec := range sub.Stores {
			topic, own, ok := spec.Changelog(simApp)
			if spec.Name != ns.Store || own || !ok {
				continue
			}
			tp := kafka.TopicPartition{Topic: topic, Partition: ns.Partition}
			if c := w.s.Broker.Group.Decided(tp); position > c {
				w.s.Fail("a disk has %v up to %d of %v, and the group has committed %d", ns, position, tp, c)
			}
		}
	}
}

// compareStores compares contents. What has expired may be there or not.
func (w *simWorld) compareStores(what string, got, want *state.Store) {
	g, x := contents(got), contents(want)
	if segments, expires := got.Layout().(state.Segments); expires {
		first := "\xff"
		if len(g) > 0 && len(x) > 0 {
			first = max(slices.Min(slices.Collect(maps.Keys(g)))[:8], slices.Min(slices.Collect(maps.Keys(x)))[:8])
		}
		first = max(first, string(segments.Append(nil, got.Floor(segments))))
		for _, c := range []map[string]string{g, x} {
			maps.DeleteFunc(c, func(key, _ string) bool { return key < first })
		}
	}
	if maps.Equal(g, x) {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(x)) {
		if g[key] != x[key] {
			w.s.Fail("%s %v: %q is %q and not %q; it has %q", what, got.Namespace(), key, g[key], x[key], g)
			return
		}
	}
	w.s.Fail("%s %v has %q and not %q", what, got.Namespace(), g, x)
}

func contents(s *state.Store) map[string]string {
	out := map[string]string{}
	err := s.Range(nil, nil, false, func(k, v []byte, at int64) bool {
		out[string(k)] = fmt.Sprintf("%x@%d", v, at)
		return true
	})
	if err != nil {
		panic(err)
	}
	return out
}

// checkSums checks the sums by themselves: a record that is skipped adds nothing.
func (w *simWorld) checkSums() {
	for _, part := range w.s.Broker.Topic("values") {
		want := map[string]int64{}
		for _, r := range part.Decided(part.End()) {
			n, _ := serde.Int64.Decode(r.Value)
			want[string(r.Key)] += max(n, 0)
		}
		for key, value := range contents(w.folded(engine.Namespace{Store: "sums", Partition: part.Number}, 1<<40)) {
			if n, _ := serde.Int64.Append(nil, want[key]); !strings.HasPrefix(value, fmt.Sprintf("%x@", n)) {
				w.s.Fail("the sum of %s in partition %d is %s, not %x", key, part.Number, value, n)
			}
		}
	}
}

// checkTicks checks what the wall clock has done: how often it struck is its own
// affair, but each time counts, and once.
func (w *simWorld) checkTicks() {
	last := map[string]int64{}
	for _, part := range w.s.Broker.Topic(w.topology.ticks) {
		for _, r := range part.Decided(part.End()) {
			n, err := serde.Int64.Decode(r.Value)
			if last[string(r.Key)]++; err != nil || n != last[string(r.Key)] {
				w.s.Fail("ticks[%d]@%d of %s is %d, after %d others: %v", part.Number, r.Offset, r.Key, n, last[string(r.Key)]-1, err)
				return
			}
		}
	}
	for _, part := range w.s.Broker.Topic(simApp + "-ticks-changelog") {
		for key, value := range contents(w.folded(engine.Namespace{Store: "ticks", Partition: part.Number}, part.End())) {
			n, _ := serde.Int64.Append(nil, last[key])
			if !strings.HasPrefix(value, fmt.Sprintf("%x@", n)) {
				w.s.Fail("%s has ticked %d times, and its state is %s", key, last[key], value)
			}
		}
	}
}
