package topology

import (
	"math"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/window"
)

// A closer knows, for an aggregation that emits windows once they have closed, which
// of them it has emitted.
type closer struct {
	t *task.Task

	// emitted is the time up to which windows were closed when they were last emitted.
	// It is committed, under the name that Kafka Streams gives it.
	emitted *task.NodeTime

	// next is a time before which none of the windows that are still to be emitted
	// lies in the order of its store, so that the store need not be asked.
	next *task.Tally
}

// newCloser returns the closer of the windows in view, which processors may write to as well.
func newCloser(t *task.Task, store string, view interface{ OnOrder(fn func(time int64)) }) *closer {
	c := &closer{t, t.NodeTime(store), t.Tally(math.MinInt64)}
	view.OnOrder(func(at int64) { c.next.N = min(c.next.N, at) })
	return c
}

// close emits, by walk, what has closed: the windows whose time in the order of the
// store is to or less. Windows that have expired before they could be emitted, because
// stream time has leapt over all their retention, are counted; Kafka Streams loses the
// same ones.
func (c *closer) close(closed, to int64, walk func() (store.Walked, error)) error {
	if at, ok := c.emitted.At(); to < 0 || ok && at >= closed {
		return nil
	}
	if to >= c.next.N {
		c.next.N = math.MaxInt64 // but for what readers of the windows open meanwhile
		walked, err := walk()
		if err != nil {
			return err
		}
		c.next.N = min(c.next.N, walked.Next)
		for range walked.Lost {
			c.t.Drop(task.DropExpired)
		}
	}
	c.emitted.Advance(closed)
	return nil
}

// closeTimed emits the windows that have closed and hold their starts, not their ends.
func (g *gatherer[K, V, A]) closeTimed(r *Record[K, V], size, closed int64) error {
	if g.closer == nil {
		return nil
	}
	from := int64(0)
	if at, ok := g.closer.emitted.At(); ok {
		from = max(0, at-size) + 1
	}
	return g.closer.close(closed, closed-size, func() (store.Walked, error) {
		return g.emit(r, from, closed-size)
	})
}

// closeSliding emits the windows that have closed and hold both their ends.
func (g *gatherer[K, V, A]) closeSliding(r *Record[K, V], size, closed int64) error {
	if g.closer == nil {
		return nil
	}
	from := int64(0)
	if at, ok := g.closer.emitted.At(); ok {
		from = max(0, at-size)
	}
	return g.closer.close(closed, closed-size-1, func() (store.Walked, error) {
		return g.emit(r, from, closed-size-1)
	})
}

// emit emits the windows that begin from from to to.
func (g *gatherer[K, V, A]) emit(r *Record[K, V], from, to int64) (store.Walked, error) {
	return g.view.InOrder(from, to, func(w window.Windowed[K], val A, at int64) error {
		c := store.Change[window.Windowed[K], A]{Key: w, New: val, NullOld: true, Time: at}
		return g.out.Emit(update[window.Windowed[K], A]{Change: c, headers: r.Headers})
	})
}

// close emits the sessions that have closed.
func (g *sessions[K, V, A]) close(r *Record[K, V], closed int64) error {
	if g.closer == nil {
		return nil
	}
	from, _ := g.closer.emitted.At()
	return g.closer.close(closed, closed-1, func() (store.Walked, error) {
		return g.view.InOrder(max(0, from), closed-1, func(w window.Windowed[K], val A) error {
			c := store.Change[window.Windowed[K], A]{Key: w, New: val, NullOld: true, Time: w.End}
			return g.out.Emit(update[window.Windowed[K], A]{Change: c, headers: r.Headers})
		})
	})
}
