package topology

import (
	"fmt"

	"github.com/leatstream/leat/internal/murmur"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
)

// To writes the stream to a topic of the same types. A record goes to the
// partition that its key hashes to, as a Java producer would send it; one without
// a key goes to any. See Topic.PartitionedBy for other ways.
func (s Stream[K, V]) To(out Topic[K, V]) {
	s.b.checkName("topic", out.name)
	out.check(s.b, task.Topic{Name: out.name}, serde.Writes)
	connect(s.b, node{kind: "sink", topic: task.Topic{Name: out.name}}, s.id,
		func(w wiring, _ *task.Port[struct{}]) (func(Record[K, V]) error, error) {
			return sinkTo(w, out, out.name, skippable), nil
		})
}

// ToEach writes every record to the topic that choose returns for it. The topics
// must exist: the runtime does not create them. Those that are named in among are looked
// for at start, and their serdes are checked, as To has it; of any other that choose
// returns, what is wrong is found with its first record.
func (s Stream[K, V]) ToEach(choose func(Record[K, V]) Topic[K, V], among ...Topic[K, V]) {
	n := node{kind: "sink", dynamic: true}
	for _, out := range among {
		s.b.checkName("topic", out.name)
		out.check(s.b, task.Topic{Name: out.name}, serde.Writes)
		n.among = append(n.among, task.Topic{Name: out.name})
	}
	connect(s.b, n, s.id,
		func(w wiring, _ *task.Port[struct{}]) (func(Record[K, V]) error, error) {
			return func(r Record[K, V]) error {
				w.t.Enter(w.id)
				out := choose(r)
				return write(w, &out, out.name, r, skippable)
			}, nil
		})
}

// loss says whether a record may be given up when it cannot be written.
type loss bool

const (
	skippable   loss = true
	unskippable loss = false
)

func sinkTo[K, V any](w wiring, out Topic[K, V], name string, l loss) func(Record[K, V]) error {
	return func(r Record[K, V]) error { return write(w, &out, name, r, l) }
}

func write[K, V any](w wiring, out *Topic[K, V], name string, r Record[K, V], l loss) error {
	w.t.Enter(w.id)
	key, value, err := out.encodeTo(w.t.Arena(), &r)
	if err == nil {
		o := task.Output{Topic: name, Partition: task.ByKey, Key: key, Value: value, Time: r.Time.UnixMilli(), Headers: r.Headers}
		if out.place == nil {
			err = route(w, out, o)
		} else {
			err = place(w, out, r, o)
		}
	}
	if err != nil && l == unskippable {
		err = w.t.Lose(err)
	}
	return err
}

// route sends a record where its key says.
func route[K, V any](w wiring, out *Topic[K, V], o task.Output) error {
	if out.router != nil && o.Key != nil {
		n, err := w.t.Partitions(o.Topic)
		if err != nil {
			return err
		}
		o.Partition = murmur.Partition(out.router.Route(o.Key), n)
	}
	return w.t.Send(o)
}

// place sends a record where its topic's partitioner says.
func place[K, V any](w wiring, out *Topic[K, V], r Record[K, V], o task.Output) error {
	n, err := w.t.Partitions(o.Topic)
	if err != nil {
		return err
	}
	to, chosen := out.place(r, n).Get()
	if !chosen {
		return route(w, out, o)
	}
	if len(to) == 0 {
		w.t.Drop(task.DropPartitioner)
	}
	for _, p := range to {
		if p < 0 || p >= n {
			return fmt.Errorf("partition %d was chosen for topic %q, which has %d", p, o.Topic, n)
		}
		o.Partition = p
		if err := w.t.Send(o); err != nil {
			return err
		}
	}
	return nil
}
