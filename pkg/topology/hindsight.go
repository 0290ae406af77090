package topology

import (
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
)

// A coalesced table holds its updates back until the flush, so its rows are ahead of
// what it has emitted. A join of two tables needs what the other side has emitted: else
// the result of two rows that are deleted between two commits would stay for ever, each
// side finding the other one gone, and what was counted of a result would be taken out
// again as it never was.

// readEmitted is t.read for who needs the rows as they have been emitted.
func (t Table[K, V]) readEmitted(tk *task.Task) reader[K, V] {
	if t.emitted != nil {
		return t.emitted(tk)
	}
	return t.read(tk)
}

// inHindsight returns t, whose node keeps its rows in st and holds its updates back if it
// coalesces.
func inHindsight[K, V any](t Table[K, V], st string, o tableOptions) Table[K, V] {
	if o.never {
		return t
	}
	t.emitted = func(tk *task.Task) reader[K, V] {
		if !o.coalesces() {
			return t.read(tk)
		}
		return hindsight[K, V]{t.read(tk), tk, tk.Store(st), t.b.nodes[t.id].place}
	}
	return t
}

// hindsight reads the rows of a coalesced table as they were at the last commit, until
// the table has emitted what has become of them.
type hindsight[K, V any] struct {
	rows  reader[K, V]
	t     *task.Task
	s     *state.Store
	place int // of the table's node
}

func (h hindsight[K, V]) Load(k K) (v V, at int64, ok bool, err error) {
	h.s.Hindsight(!h.t.Flushed(h.place))
	defer h.s.Hindsight(false)
	return h.rows.Load(k)
}
