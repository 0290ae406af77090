package topology

import (
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
)

// KeyBy gives every record a new key and moves it, through the repartition topic
// via, to the partition that owns that key.
func (s Stream[K, V]) KeyBy[K2 any](via Repartition[K2, V], key func(K, V) K2) Stream[K2, V] {
	rekeyed := pipe(s, "key-by", func(w wiring, out *task.Port[Record[K2, V]]) func(Record[K, V]) error {
		return func(r Record[K, V]) error {
			if r.NullValue {
				w.t.Drop(task.DropNullValue)
				return nil
			}
			w.t.Enter(w.id)
			return out.Emit(Record[K2, V]{Key: key(r.Key, r.Value), Value: r.Value, Time: r.Time, Headers: r.Headers})
		}
	})
	return rekeyed.Repartition(via)
}

// Repartition writes the stream to the repartition topic via and reads it back,
// so that equal keys meet in one partition. Records without a key are dropped, unless a
// left or outer join follows somewhere behind, which emits them (KIP-962).
func (s Stream[K, V]) Repartition(via Repartition[K, V]) Stream[K, V] {
	name := via.internal()
	if _, taken := s.b.sources[name.Resolve("")]; taken {
		s.b.fail("repartition topic %q is used twice: give each its own name", via.name)
	}
	via.check(s.b, name, serde.Writes)
	nulls := new(bool)
	connect(s.b, node{kind: "repartition", name: via.name + "-sink", topic: name, nulls: nulls}, s.id,
		func(w wiring, _ *task.Port[struct{}]) (func(Record[K, V]) error, error) {
			topic := name.Resolve(w.t.App())
			write := sinkTo(w, via.placed(topic, true), topic, unskippable)
			return func(r Record[K, V]) error {
				if r.NullKey && !*nulls {
					w.t.Drop(task.DropNullKey)
					return nil
				}
				return write(r)
			}, nil
		})
	return from(s.b, via.Topic, task.Source{Topic: name, Partitions: via.partitions})
}

// relax lets records without a key pass the repartition topics above joins that emit them.
func (b *Builder) relax() {
	feeds := map[string]int{} // the writer of an internal topic
	for id, n := range b.nodes {
		if n.nulls != nil {
			feeds[n.topic.Resolve("")] = id
		}
	}
	seen := make([]bool, len(b.nodes))
	var climb func(id int)
	climb = func(id int) {
		if seen[id] {
			return
		}
		seen[id] = true
		n := b.nodes[id]
		if n.nulls != nil {
			*n.nulls = true
		}
		if from, ok := feeds[n.topic.Resolve("")]; ok && n.kind == "source" {
			climb(from)
		}
		for _, p := range n.parents {
			climb(p)
		}
	}
	for id, n := range b.nodes {
		if n.relaxed {
			climb(id)
		}
	}
}
