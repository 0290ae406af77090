package topology

import (
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
)

// A backing is a topic that serves as the changelog of the table it is read as.
type backing struct {
	task.Topic
	rows func() func(*task.Message) (task.Row, error) // see task.Store
}

// backedBy says how a table is restored from the topic that it is read from.
func backedBy[K, V any](t Topic[K, V], st store.Rows[K, V]) backing {
	out := backing{Topic: task.Topic{Name: t.name}}
	key, value := st.Serdes()
	sameKey, sameValue := same(t.key, key), same(t.value, value)
	if t.key == nil || t.value == nil || key == nil || value == nil || sameKey && sameValue && !t.timed() {
		return out
	}
	t.arrival = false // the time of day it was then is gone
	t = t.placed(t.name, false)
	key, value = internalAt(key, t.name, serde.Key), internalAt(value, t.name, serde.Value)
	out.rows = func() func(*task.Message) (task.Row, error) {
		r := &rowReader[K, V]{source: sourceReader[K, V]{topic: t}, key: key, value: value, sameKey: sameKey, sameValue: sameValue}
		return r.row
	}
	return out
}

// same reports whether the store has the bytes that the topic has, whatever they are.
func same(topic, store any) bool { return serde.ReadsAny(topic) && serde.ReadsAny(store) }

// A rowReader makes of a source's records what processing them leaves in the table's
// store: others may write the same value in other bytes.
type rowReader[K, V any] struct {
	source             sourceReader[K, V]
	key                serde.Serde[K]
	value              serde.Serde[V]
	sameKey, sameValue bool  // the bytes stay as they are
	time               int64 // of the partition, from where this began
}

func (r *rowReader[K, V]) row(m *task.Message) (row task.Row, err error) {
	if row.Time, row.Invalid, err = r.stamp(m); err != nil || row.Invalid {
		return row, err
	}
	r.time = max(r.time, row.Time)
	rec, err := r.source.decode(m)
	if err != nil {
		return row, err
	}
	if row.Key = m.Key; !r.sameKey {
		if row.Key, err = r.key.Append(make([]byte, 0, len(m.Key)), rec.Key); err != nil {
			return row, err
		}
	}
	if row.Value = m.Value; m.Value != nil && !r.sameValue {
		row.Value, err = r.value.Append(make([]byte, 0, len(m.Value)), rec.Value)
	}
	return row, err
}

func (r *rowReader[K, V]) stamp(m *task.Message) (at int64, invalid bool, err error) {
	if at = m.Time; r.source.topic.timed() {
		valid := false
		if at, valid, err = r.source.time(m, r.time); err != nil || !valid {
			return 0, err == nil, err
		}
	}
	if at < 0 {
		err = task.ErrTimestamp
	}
	return at, false, err
}
