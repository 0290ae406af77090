package state

import (
	"cmp"
	"encoding/binary"
	"math"
	"sync"

	"github.com/leatstream/leat/internal/engine"
)

// A Shared is a store that is filled from a topic and read by every task of the
// process: a global table. It holds the committed records of all of the topic's
// partitions under one namespace, or what is made of them, and beside it, under one
// namespace for each partition, how far they have been read. Its methods may be called
// concurrently.
type Shared struct {
	eng  engine.Engine
	name string

	mu struct { // partitions are filled at the same time
		sync.Mutex
		forms *formSet
	}
}

// NewShared returns the shared store called name in eng, which holds a topic's records.
// Nil forms are those of a store of which nobody can tell them.
func NewShared(eng engine.Engine, name string, forms Forms) (*Shared, error) {
	s, err := loadShared(eng, name)
	if err == nil {
		err = s.error("layout", mark(eng, s.rows(), Plain{}))
	}
	if err != nil {
		return nil, err
	}
	s.mu.forms.keep(forms)
	return s, nil
}

func loadShared(eng engine.Engine, name string) (s *Shared, err error) {
	s = &Shared{eng: eng, name: name}
	s.mu.forms, err = loadForms(eng, s.formsKept())
	return s, s.error("forms", err)
}

// Readable returns why not all that the store holds can be read; nil if it can, or if
// nobody can tell. It must not be filled meanwhile.
func (s *Shared) Readable() error {
	return s.mu.forms.readable(func(fn func(key, value []byte) error) error {
		var failed error
		err := s.Range(nil, nil, false, func(key, value []byte, _ int64) bool {
			failed = fn(key, value)
			return failed == nil
		})
		return cmp.Or(failed, err)
	})
}

// Made is the layout of a shared store whose entries are made of a topic's records.
type Made struct{ Plain }

// NewMade is NewShared for what is made of a topic's records in the store that it returns,
// too, which is to be handed to Keep after each batch. What was kept the other way is
// dropped.
func NewMade(eng engine.Engine, name string, forms Forms) (*Shared, *Store, error) {
	s, err := loadShared(eng, name)
	if err != nil {
		return nil, nil, err
	}
	made, err := Open(eng, s.rows(), Made{})
	if err != nil {
		return nil, nil, err
	}
	made.KeepForms(forms)
	return s, made, nil
}

// Keep makes what a batch has changed in a store that NewMade gave, and how far that is,
// visible to readers. The store holds no memory then.
func (s *Shared) Keep(made *Store, partition int32, p engine.Position) error {
	made.Commit()
	made.SetPosition(engine.Position{Topic: p.Topic, Time: p.Time})
	var b engine.Batch
	made.Flush(&b)
	b.SetPosition(s.progress(partition), p)
	if err := s.eng.Write(&b); err != nil {
		return s.error("fill", err)
	}
	made.Flushed()
	made.Evict(0)
	return nil
}

// Namespaces of tasks have partitions that are not negative.
func (s *Shared) rows() engine.Namespace { return engine.Namespace{Store: s.name, Partition: -1} }

func (s *Shared) progress(partition int32) engine.Namespace {
	return engine.Namespace{Store: s.name, Partition: -2 - partition}
}

// formsKept is where the forms of the rows are.
func (s *Shared) formsKept() engine.Namespace {
	return engine.Namespace{Store: s.name, Partition: math.MinInt32}
}

// Get returns the value of key and its timestamp. The value is a part of buf, which is
// overwritten, and grown if need be.
func (s *Shared) Get(key []byte, buf *[]byte) (value []byte, time int64, ok bool, err error) {
	raw, ok, err := s.eng.Get(s.rows(), key, (*buf)[:0])
	if err != nil || !ok {
		return nil, 0, false, s.error("read", err)
	}
	*buf = raw
	v, err := parse(raw)
	if err != nil {
		return nil, 0, false, s.error("read", err)
	}
	return v.data(), v.time(), true, nil
}

// Range calls yield for the entries with lo <= key < hi in key order, or in reverse,
// until it returns false. A nil bound is open. The slices are valid during the call
// only. It sees the store as it was when Range was called.
func (s *Shared) Range(lo, hi []byte, reverse bool, yield func(key, value []byte, time int64) bool) (err error) {
	it, err := s.eng.Range(s.rows(), lo, hi, reverse)
	if err != nil {
		return s.error("range", err)
	}
	defer func() {
		if e := it.Close(); err == nil {
			err = s.error("range", e)
		}
	}()
	for it.Next() {
		v, err := parse(it.Value())
		if err != nil {
			return s.error("range", err)
		}
		if !yield(it.Key(), v.data(), v.time()) {
			return nil
		}
	}
	return nil
}

// Position is how far a partition of the topic has been read; ok is false if nothing
// is known of it.
func (s *Shared) Position(partition int32) (p engine.Position, ok bool, err error) {
	if _, whole, err := s.eng.Position(s.rows()); err != nil || !whole {
		return p, false, s.error("position", err)
	}
	p, ok, err = s.eng.Position(s.progress(partition))
	return p, ok, s.error("position", err)
}

// Wipe drops everything, the positions of so many partitions too. If it is cut short,
// no position counts any more.
func (s *Shared) Wipe(partitions int32) error {
	if err := s.eng.Drop(s.rows()); err != nil {
		return s.error("wipe", err)
	}
	for p := range partitions {
		if err := s.eng.Drop(s.progress(p)); err != nil {
			return s.error("wipe", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.forms.empty()
	return nil
}

// A Filling is a batch of a topic's records on their way to a shared store. The program has
// seen that it can read them.
type Filling struct {
	s     *Shared
	batch engine.Batch
}

// Fill begins a batch.
func (s *Shared) Fill() *Filling { return &Filling{s: s} }

// Set adds a record; a nil value deletes its key. Key must stay as it is until Write.
func (f *Filling) Set(key, value []byte, time int64) {
	if value == nil {
		f.batch.Delete(f.s.rows(), key)
		return
	}
	raw := binary.BigEndian.AppendUint64(make([]byte, 0, stampSize+len(value)), uint64(time))
	f.batch.Set(f.s.rows(), key, append(raw, value...))
}

// Write makes the records, and how far that is, visible to readers.
func (f *Filling) Write(partition int32, p engine.Position) error {
	f.batch.SetPosition(f.s.progress(partition), p)
	f.batch.SetPosition(f.s.rows(), engine.Position{Topic: p.Topic, Time: p.Time})
	return f.s.error("fill", f.write())
}

// write writes the batch, and the forms in it before others may: the batch of another
// partition must not be there without a form that it shares with this one.
func (f *Filling) write() error {
	s := f.s
	s.mu.Lock()
	for _, op := range f.batch.Ops {
		if op.Kind == engine.Set {
			s.mu.forms.noteOwn(Plain{}, op.Key, op.Value[stampSize:])
		}
	}
	if !s.mu.forms.changed() { // as nearly always
		s.mu.Unlock()
		return s.eng.Write(&f.batch)
	}
	defer s.mu.Unlock()
	s.mu.forms.put(&f.batch, s.formsKept())
	err := s.eng.Write(&f.batch)
	if err == nil {
		s.mu.forms.wrote()
	}
	return err
}

func (s *Shared) error(op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{s.rows(), op, err}
}
