package task

import (
	"fmt"
	"iter"
	"runtime/debug"
	"sync"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/state"
)

// A Whole is a global table as a process keeps it. Its methods may be called concurrently:
// partitions come at the same time, and tasks read.
type Whole struct {
	*state.Shared
	spec Global
	app  string

	mu   sync.Mutex // what follows takes the records of one partition at a time
	made *state.Store
	fill func(*Message) error // nil: the records are the rows
}

// Open returns what eng holds of the table.
func (g Global) Open(eng engine.Engine, app string) (w *Whole, err error) {
	w = &Whole{spec: g, app: app}
	if g.Make == nil {
		w.Shared, err = state.NewShared(eng, g.Store, g.Forms(g.Topic))
		return w, err
	}
	if w.Shared, w.made, err = state.NewMade(eng, g.Store, g.Forms(Changelog(app, g.Store))); err != nil {
		return nil, err
	}
	w.fill = g.Make(w.made, app)
	return w, nil
}

// Readable returns why a table that has been filled cannot be read; nil if it can.
func (w *Whole) Readable() (err error) {
	if w.made == nil {
		err = w.Shared.Readable()
	} else {
		err = w.made.Readable()
	}
	if err != nil {
		return fmt.Errorf("global table %s, topic %s: %w", w.spec.Store, w.spec.Topic, err)
	}
	return nil
}

// Apply takes what is new in a partition of the topic, and how far that is, all of it or
// nothing. Records without a key are passed over. After an error the table is not to be
// used any more.
func (w *Whole) Apply(partition int32, records iter.Seq[Message], at engine.Position) error {
	if w.fill == nil {
		f := w.Fill()
		for m := range records {
			if m.Key != nil {
				f.Set(m.Key, m.Value, m.Time)
			}
		}
		return f.Write(partition, at)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for m := range records {
		if m.Key == nil {
			continue
		}
		if err := w.take(partition, &m); err != nil {
			return err
		}
	}
	return w.Keep(w.made, partition, at)
}

// take has one record made into rows. What it cannot be made into is not passed over: it
// would be missing, and only here.
func (w *Whole) take(partition int32, m *Message) (err error) {
	failed := &Error{Task: "global", Node: w.spec.Store, Topic: w.spec.Topic, Partition: partition, Offset: m.Offset}
	defer func() {
		if r := recover(); r != nil {
			failed.Err, failed.Stack = fmt.Errorf("%w: %v", ErrPanic, r), debug.Stack()
			err = failed
		}
	}()
	if failed.Err = w.fill(m); failed.Err == nil {
		failed.Err = w.made.Err()
	}
	if failed.Err != nil {
		return failed
	}
	return nil
}
