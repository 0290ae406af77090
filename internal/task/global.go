package task

import (
	"fmt"
	"iter"
	"sync"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/state"
)

// A Whole is a global table as a process keeps it. Its methods may be called concurrently:
// partitions come at the same time, and tasks read.
type Whole struct {
	*state.Shared
	spec Global
	env  GlobalEnv

	mu struct {
		sync.Mutex
		intakes map[int32]*Intake // by partition
	}

	filling sync.Mutex // what follows takes the records of one partition at a time
	made    *state.Store
	fill    func(*Message) error // nil: the records are the rows
}

// A GlobalEnv is what a global table needs from the outside.
type GlobalEnv struct {
	App    string
	Decode Policy                    // of a record that cannot be decoded
	Left   func(why Drop, err error) // is told of records without effect; may be called concurrently
}

// Open returns what eng holds of the table.
func (g Global) Open(eng engine.Engine, env GlobalEnv) (w *Whole, err error) {
	w = &Whole{spec: g, env: env}
	w.mu.intakes = map[int32]*Intake{}
	if g.Make == nil {
		w.Shared, err = state.NewShared(eng, g.Store, g.Forms(g.Topic))
		return w, err
	}
	if w.Shared, w.made, err = state.NewMade(eng, g.Store, g.Forms(Changelog(env.App, g.Store))); err != nil {
		return nil, err
	}
	w.fill = g.Make(w.made, env.App)
	return w, nil
}

// Place is where a partition's records go, for telling of code that has one in hand.
func (w *Whole) Place(partition int32) Error { return w.intake(partition).Place }

// Readable returns why a table that has been filled cannot be read; nil if it can.
func (w *Whole) Readable() (err error) {
	if w.made == nil {
		err = w.Shared.Readable()
	} else {
		err = w.made.Readable()
	}
	return w.about(err)
}

// Unread returns why the table lacks a row of a partition, of which it takes nothing at the
// time: its record cannot be decoded, nothing has replaced it so far, and the policy does
// not pass over it. Nil if it lacks none.
func (w *Whole) Unread(partition int32) error { return w.about(w.intake(partition).Unread()) }

func (w *Whole) about(err error) error {
	if err != nil {
		return fmt.Errorf("global table %s, topic %s: %w", w.spec.Store, w.spec.Topic, err)
	}
	return nil
}

// Wipe drops the rows, and how far the partitions have been read.
func (w *Whole) Wipe(partitions int32) error {
	w.mu.Lock()
	clear(w.mu.intakes)
	w.mu.Unlock()
	return w.Shared.Wipe(partitions)
}

// PassesOver reports whether a table that cannot be read, because of err, is to be filled
// anew.
func (w *Whole) PassesOver(err error) bool { return Policies{Decode: w.env.Decode}.PassesOver(err) }

// intake is that of a partition.
func (w *Whole) intake(partition int32) *Intake {
	w.mu.Lock()
	defer w.mu.Unlock()
	in := w.mu.intakes[partition]
	if in == nil {
		in = &Intake{Row: w.spec.Row, Policies: Policies{Decode: w.env.Decode}, Left: w.env.Left,
			Place: Error{Task: "global", Node: w.spec.Store, Topic: w.spec.Topic, Partition: partition}}
		w.mu.intakes[partition] = in
	}
	return in
}

// Apply takes what is new in a partition of the topic, and how far that is, all of it or
// nothing. Records without a key are passed over, and what the decode policy says. After
// an error the table is not to be used any more.
func (w *Whole) Apply(partition int32, records iter.Seq[Message], at engine.Position) error {
	in := w.intake(partition)
	if w.fill != nil {
		return w.make(in, records, at)
	}
	f := w.Fill()
	var m Message // one for all: it escapes
	for m = range records {
		r, err := in.Take(&m)
		switch {
		case err != nil:
			return err
		case r.Key != nil:
			f.Set(r.Key, r.Value, r.Time)
		case m.Key != nil: // the row before is not on the topic any more once that is compacted
			f.Set(m.Key, nil, m.Time)
		}
	}
	at.Offset = in.Upto(at.Offset)
	return f.Write(partition, at)
}

// make has rows made of records. What code fails on is not passed over: it would be
// missing, and only here.
func (w *Whole) make(in *Intake, records iter.Seq[Message], at engine.Position) error {
	w.filling.Lock()
	defer w.filling.Unlock()
	var m Message
	for m = range records {
		if m.Key == nil {
			in.leave(DropNullKey, nil)
			continue
		}
		if err := w.take(in, &m); err != nil && in.pass(err) != nil {
			return err
		}
	}
	return w.Keep(w.made, in.Place.Partition, at)
}

func (w *Whole) take(in *Intake, m *Message) (err error) {
	defer in.place(m, &err)
	if err := w.fill(m); err != nil {
		return err
	}
	return w.made.Err()
}
