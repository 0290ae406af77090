package topologytest

import (
	"bytes"
	"slices"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/offsetmeta"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/topology"
)

// A place is one partition of a topic.
type place struct {
	topic     string
	partition int32
}

// A log is a topic: its records by partition.
type log struct {
	external  bool // written by the test, not by tasks
	records   map[int32][]task.Message
	committed map[int32]int // how many of them are
	taken     map[int32]int // how many of those the test has taken
}

func (d *Driver) topic(name string) *log {
	l := d.topics[name]
	if l == nil {
		l = &log{records: map[int32][]task.Message{}, committed: map[int32]int{}, taken: map[int32]int{}}
		d.topics[name] = l
	}
	return l
}

func (l *log) commit() {
	for p, records := range l.records {
		l.committed[p] = len(records)
	}
}

// abort drops what no commit covers.
func (l *log) abort() {
	if l.external {
		return
	}
	for p := range l.records {
		l.records[p] = l.records[p][:l.committed[p]]
	}
}

func (l *log) partition(p int32) []task.Message { return l.records[p] }

// append copies o: a task uses the memory of its output again.
func (l *log) append(p int32, o task.Output) task.Message {
	m := task.Message{
		Key: bytes.Clone(o.Key), Value: bytes.Clone(o.Value), Time: o.Time,
		Offset: int64(len(l.records[p])), Epoch: -1, Headers: slices.Clone(o.Headers),
	}
	l.records[p] = append(l.records[p], m)
	return m
}

func (l *log) take(p int32) []task.Message {
	out := l.records[p][l.taken[p]:l.committed[p]]
	l.taken[p] = l.committed[p]
	return out
}

// Local says what becomes of local state in a restart.
type Local int

const (
	// LoseState throws local state away: all of it comes from the changelogs.
	LoseState Local = iota
	// KeepState restarts on the local state: what is there is not replayed.
	KeepState
	// MoveState goes on at another process, which has nothing at first. Moved again,
	// the tasks come back to where they were, and find what they left there: what has
	// happened since comes from the changelogs.
	MoveState
)

// Restart commits, stops every task, and starts it again as a new process would:
// stores are restored from their changelogs, from where local state ends, and
// inputs go on from the committed offsets and times.
func (d *Driver) Restart(local Local) {
	d.tb.Helper()
	d.Commit()
	d.Crash(local)
}

// Upgrade is Restart with another topology, as the next version of the service brings
// it. If its tasks cannot be opened, OnError says why.
func (d *Driver) Upgrade(b *topology.Builder, local Local) {
	d.tb.Helper()
	plan := d.build(b)
	d.Commit()
	d.built = plan
	d.expand()
	d.check()
	d.Crash(local)
}

// Crash is Restart without the commit: what was done since the last one is lost
// and done again.
func (d *Driver) Crash(local Local) {
	d.tb.Helper()
	d.since = 0
	for _, l := range d.topics {
		l.abort()
	}
	switch local {
	case LoseState:
		d.engine = d.openEngine()
	case MoveState:
		d.flushEngine()
		if d.elsewhere == nil {
			d.elsewhere = d.openEngine()
		}
		d.engine, d.elsewhere = d.elsewhere, d.engine
	case KeepState:
		d.flushEngine()
	}
	d.open()
}

// flushEngine hands the committed state of every task to the engine.
func (d *Driver) flushEngine() {
	d.tb.Helper()
	d.each(func(t *task.Task) error {
		t.Rollback()
		var b engine.Batch
		for _, s := range t.Stores() {
			s.State.Flush(&b)
		}
		return d.engine.Write(&b)
	})
}

func (d *Driver) restore(id string, spec task.Store, p int32) (*state.Store, error) {
	s, err := spec.Open(d.engine, app, p)
	topic, own, ok := spec.Changelog(app)
	if err != nil || !ok {
		return s, err
	}
	records := d.topic(topic).partition(p)
	if !own {
		records = records[:d.points[place{topic, p}].Offset]
	}
	pos, known := s.Position()
	if !known {
		if err := s.Wipe(); err != nil {
			return nil, err
		}
	}
	r, err := state.NewRestorer(s)
	if err != nil {
		return nil, err
	}
	in := spec.Intake(app, id, p, d.policies)
	r.Own = !own
	for _, m := range records[pos.Offset:] {
		row, err := in.Take(&m)
		if err == nil && row.Key != nil {
			err = r.Apply(row.Key, row.Value, row.Time)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := in.Unread(); err != nil {
		return nil, err
	}
	return s, r.Write(engine.Position{Offset: int64(len(records))})
}

func (d *Driver) resume(t *task.Task) error {
	for _, src := range t.Sub().Sources {
		topic := src.Topic.Resolve(app)
		point := d.points[place{topic, t.Partition()}]
		meta, err := offsetmeta.Decode(point.Metadata)
		if err != nil {
			return err
		}
		if err := t.Resume(topic, point.Offset, meta); err != nil {
			return err
		}
		source, _ := t.Source(topic)
		records := d.topic(topic).partition(t.Partition())
		t.Enqueue(source, records[point.Offset:], int64(len(records)), int64(len(records)))
	}
	return nil
}

// openGlobals opens the global tables, fills them, and looks whether they can be read.
func (d *Driver) openGlobals() (err error) {
	d.tb.Helper()
	d.globals = map[string]*task.Whole{}
	for _, g := range d.plan.Globals {
		w, err := g.Open(d.engine, task.GlobalEnv{App: app, Decode: d.policies.Decode, Left: func(why task.Drop, _ error) { d.left[why]++ }})
		if err != nil {
			return err
		}
		if err := w.Readable(); err != nil && w.PassesOver(err) {
			if err := w.Wipe(d.partitions); err != nil {
				return err
			}
		}
		d.globals[g.Store] = w
	}
	if err := d.fillGlobals(); err != nil {
		return err
	}
	for _, g := range d.plan.Globals {
		if err := d.globals[g.Store].Readable(); err != nil {
			return err
		}
	}
	return nil
}

// follow brings the global tables up to what is committed on their topics.
func (d *Driver) follow() {
	d.tb.Helper()
	if err := d.fillGlobals(); err != nil {
		d.onError(err)
	}
}

func (d *Driver) fillGlobals() error {
	if d.globals == nil {
		return nil // they could not be opened
	}
	for _, g := range d.plan.Globals {
		for p := range d.partitions {
			if err := fill(d.globals[g.Store], d.topic(g.Topic), p); err != nil {
				return err
			}
		}
	}
	return nil
}

func fill(w *task.Whole, l *log, p int32) error {
	records := l.partition(p)
	if !l.external {
		records = records[:l.committed[p]]
	}
	pos, _, err := w.Position(p)
	if err != nil || pos.Offset == int64(len(records)) {
		return err
	}
	if err := w.Apply(p, slices.Values(records[pos.Offset:]), engine.Position{Offset: int64(len(records))}); err != nil {
		return err
	}
	return w.Unread(p)
}
