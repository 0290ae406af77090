package worker

// A tally counts a producer's records by topic. A task writes to the same few topics in
// turn, so that a walk over them is quicker than a map; there is one for when they are
// many.
type tally struct {
	rows  []tallied
	index map[string]int // of the rows, once there are more than a few
	fresh []sent         // the first record of each topic that is new in this transaction
}

type tallied struct {
	topic   string
	records int64 // in this transaction
}

const few = 8

// add counts n records of a topic, of which r is one.
func (t *tally) add(r sent, n int64) {
	if t.index != nil {
		if i, ok := t.index[r.Topic]; ok {
			t.rows[i].records += n
			return
		}
	} else {
		for i := range t.rows {
			if t.rows[i].topic == r.Topic {
				t.rows[i].records += n
				return
			}
		}
	}
	r.keep()
	if t.rows, t.fresh = append(t.rows, tallied{r.Topic, n}), append(t.fresh, r); len(t.rows) <= few {
		return
	}
	if t.index == nil {
		t.index = map[string]int{}
	}
	for i := len(t.index); i < len(t.rows); i++ {
		t.index[t.rows[i].topic] = i
	}
}

// each calls fn with the topics that were written to in this transaction.
func (t *tally) each(fn func(topic string, records int64)) {
	for _, row := range t.rows {
		if row.records > 0 {
			fn(row.topic, row.records)
		}
	}
}

// next begins another transaction.
func (t *tally) next() {
	for i := range t.rows {
		t.rows[i].records = 0
	}
}
