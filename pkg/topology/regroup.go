package topology

import (
	"bytes"
	"context"
	"fmt"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/wire"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
)

// GroupBy groups the rows of a table by another key: what a row was is taken from
// its old group, and what it has become is added to its new one. by returns a row's
// group and what of it goes there. The rows move through the repartition topic via,
// as the change records that Kafka Streams writes.
func (t Table[K, V]) GroupBy[G, W any](via Repartition[G, W], by func(K, V) (G, W)) Regrouped[G, W] {
	if !t.wantOld() {
		t.needRows("GroupBy")
	}
	name := via.internal()
	if _, taken := t.b.sources[name.Resolve("")]; taken {
		t.b.fail("repartition topic %q is used twice: give each its own name", via.name)
	}
	via.check(t.b, name, serde.Writes)
	connect(t.b, node{kind: "repartition", name: via.name + "-sink", topic: name}, t.id,
		func(w wiring, _ *task.Port[struct{}]) (func(update[K, V]) error, error) {
			topic := name.Resolve(w.t.App())
			r := &regrouper[K, V, G, W]{w: w, via: via.placed(topic, true), topic: topic, by: by}
			r.via.headed = nil // a change holds two values, and its record is the row's: see changeSerde
			return r.process, nil
		})
	changes := Topic[G, change[W]]{name: via.name, key: via.key, value: changeSerde[W]{via.value}}
	return Regrouped[G, W]{from(t.b, changes, task.Source{Topic: name, Partitions: via.partitions})}
}

// A regrouper sends the changes of a table's rows to the groups they belong to.
type regrouper[K, V, G, W any] struct {
	w     wiring
	via   Topic[G, W]
	topic string
	by    func(K, V) (G, W)
}

// process sends one record if the row stays in its group: else the group would be
// without it for a moment (KIP-904).
func (g *regrouper[K, V, G, W]) process(u update[K, V]) error {
	if u.past {
		return nil
	}
	g.w.t.Enter(g.w.id)
	old, err := g.share(&u, u.Old, u.NullOld)
	if err != nil {
		return g.w.t.Lose(err)
	}
	now, err := g.share(&u, u.New, u.NullNew)
	if err != nil {
		return g.w.t.Lose(err)
	}
	if old.there && now.there && bytes.Equal(old.key, now.key) {
		return g.send(&u, now, old.value, now.value)
	}
	if old.there {
		if err := g.send(&u, old, old.value, nil); err != nil {
			return err
		}
	}
	if now.there {
		return g.send(&u, now, nil, now.value)
	}
	return nil
}

// A share is what of a row goes to its group.
type share[G, W any] struct {
	there      bool
	rec        Record[G, W]
	key, value []byte
}

// share returns the share of a row; a group or a value that is null has none.
func (g *regrouper[K, V, G, W]) share(u *update[K, V], v V, null bool) (s share[G, W], err error) {
	if null {
		return s, nil
	}
	s.rec = Record[G, W]{Time: stamp(u.Time), Headers: u.headers}
	s.rec.Key, s.rec.Value = g.by(u.Key, v)
	s.key, s.value, err = g.via.encodeTo(g.w.t.Arena(), &s.rec)
	s.there = s.key != nil && s.value != nil
	return s, err
}

func (g *regrouper[K, V, G, W]) send(u *update[K, V], to share[G, W], old, now []byte) error {
	a := g.w.t.Arena()
	o := task.Output{Topic: g.topic, Partition: task.ByKey, Key: to.key, Time: u.Time, Headers: u.headers}
	o.Value = a.Take(wire.AppendChange(a.Tail(), old, now))
	var err error
	if g.via.place == nil {
		err = g.w.t.Send(o)
	} else {
		err = place(g.w, &g.via, to.rec, o)
	}
	if err != nil {
		err = g.w.t.Lose(err)
	}
	return err
}

// A change is what a row's share was and has become.
type change[V any] struct{ old, now Opt[V] }

// changeSerde writes changes as Kafka Streams does. A change holds two values, and a record
// has one set of headers: what the inner serde could write to them it does without.
type changeSerde[V any] struct{ inner serde.Serde[V] }

// At serves serde.Placer.
func (s changeSerde[V]) At(p serde.Place) serde.Serde[change[V]] {
	return changeSerde[V]{serde.At(s.inner, p)}
}

// Start serves serde.Starter.
func (s changeSerde[V]) Start(ctx context.Context, use serde.Use) error {
	return serde.Start(ctx, use, s.inner)
}

func (s changeSerde[V]) Append(dst []byte, c change[V]) (_ []byte, err error) {
	var parts [2][]byte
	for i, v := range []Opt[V]{c.old, c.now} {
		if v.ok {
			if parts[i], err = s.inner.Append([]byte{}, v.v); err != nil {
				return dst, err
			}
		}
	}
	return wire.AppendChange(dst, parts[0], parts[1]), nil
}

func (s changeSerde[V]) Decode(src []byte) (c change[V], err error) {
	old, now, err := wire.Change(src)
	if err != nil {
		return c, err
	}
	if c.old, err = s.value(old); err != nil {
		return c, fmt.Errorf("old: %w", err)
	}
	if c.now, err = s.value(now); err != nil {
		return c, fmt.Errorf("new: %w", err)
	}
	return c, nil
}

func (s changeSerde[V]) value(b []byte) (o Opt[V], err error) {
	if b == nil {
		return o, nil
	}
	o.ok = true
	o.v, err = s.inner.Decode(b)
	return o, err
}

// Regrouped is a table whose rows have been given another key, by which they are to
// be aggregated.
type Regrouped[K, V any] struct {
	changes Stream[K, change[V]]
}

// Aggregate folds the rows of each group into st, starting from A's zero value: add
// puts a row in, remove takes one out that was put in before. The result's timestamp
// is the greatest of those that went into it.
func (g Regrouped[K, V]) Aggregate[A any](st store.KV[K, A], add, remove func(acc A, k K, v V) A, opts ...TableOption) Table[K, A] {
	return g.Fold(st,
		func(k K, v V, acc Opt[A]) Opt[A] { return Some(add(acc.v, k, v)) },
		func(k K, v V, acc A) Opt[A] { return Some(remove(acc, k, v)) }, opts...)
}

// Count counts the rows of each group.
func (g Regrouped[K, V]) Count(st store.KV[K, int64], opts ...TableOption) Table[K, int64] {
	return g.Aggregate(st,
		func(n int64, _ K, _ V) int64 { return n + 1 },
		func(n int64, _ K, _ V) int64 { return n - 1 }, opts...)
}

// Reduce combines the rows of each group; the first one stands as it is.
func (g Regrouped[K, V]) Reduce(st store.KV[K, V], add, remove func(acc, v V) V, opts ...TableOption) Table[K, V] {
	return keep(g.changes, "regroup", st, opts, func(r Record[K, change[V]], c *store.Change[K, V]) bool {
		acc, used := Opt[V]{c.Old, !c.NullOld}, false
		if r.Value.old.ok && acc.ok {
			acc, used = Some(remove(acc.v, r.Value.old.v)), true
		}
		switch {
		case !r.Value.now.ok:
		case !acc.ok:
			acc = r.Value.now
		default:
			acc, used = Some(add(acc.v, r.Value.now.v)), true
		}
		return regrouped(r, c, acc, used)
	})
}

// Fold is the general aggregation of groups: add and remove return the new aggregate,
// None to delete it.
func (g Regrouped[K, V]) Fold[A any](st store.KV[K, A], add func(k K, v V, acc Opt[A]) Opt[A], remove func(k K, v V, acc A) Opt[A], opts ...TableOption) Table[K, A] {
	return keep(g.changes, "regroup", st, opts, func(r Record[K, change[V]], c *store.Change[K, A]) bool {
		acc, used := Opt[A]{c.Old, !c.NullOld}, false
		if r.Value.old.ok && acc.ok {
			acc, used = remove(r.Key, r.Value.old.v, acc.v), true
		}
		if r.Value.now.ok {
			acc, used = add(r.Key, r.Value.now.v, acc), used || !c.NullOld
		}
		return regrouped(r, c, acc, used)
	})
}

// regrouped fills in what a record has made of an aggregate; used says whether the
// one that was there went into it.
func regrouped[K, V, A any](r Record[K, change[V]], c *store.Change[K, A], acc Opt[A], used bool) bool {
	at := r.Time.UnixMilli()
	if used {
		at = max(at, c.Time)
	}
	c.New, c.NullNew, c.Time = acc.v, !acc.ok, at
	return true
}
