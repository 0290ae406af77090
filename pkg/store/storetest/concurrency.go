package storetest

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leatstream/leat/internal/engine"
)

// wholeBatches has one writer that gives all keys of two namespaces the same
// value, again and again. A reader must never see two values at once.
func wholeBatches(t *testing.T, s subject) {
	const rounds, keys = 60, 50
	other := engine.Namespace{Store: "other", Partition: 3}
	var wg sync.WaitGroup
	var done atomic.Bool
	wg.Go(func() {
		defer done.Store(true)
		for round := range uint64(rounds) {
			var b engine.Batch
			value := binary.BigEndian.AppendUint64(nil, round)
			for k := range keys {
				b.Set(first, fmt.Append(nil, k), value)
				b.Set(other, fmt.Append(nil, k), value)
			}
			b.SetPosition(first, position(int64(round)))
			if err := s.Write(&b); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for _, ns := range []engine.Namespace{first, other} {
		wg.Go(func() {
			seen := uint64(0)
			for !done.Load() {
				seen = s.readWhole(ns, seen, keys)
			}
			if last := s.readWhole(ns, seen, keys); last != rounds-1 {
				t.Errorf("when all is written a reader sees %d, want %d", last, rounds-1)
			}
		})
	}
	wg.Wait()
	s.wantPosition(first, position(rounds-1), true)
}

// readWhole reads all of ns and returns the one value that all keys have.
func (s subject) readWhole(ns engine.Namespace, before uint64, keys int) uint64 {
	it, err := s.Range(ns, nil, nil, false)
	if err != nil {
		s.t.Error(err)
		return before
	}
	now, n := before, 0
	for ; it.Next(); n++ {
		value := binary.BigEndian.Uint64(it.Value())
		if n > 0 && value != now || value < before {
			s.t.Errorf("key %q has value %d, another one %d, and before it was %d", it.Key(), value, now, before)
		}
		now = value
	}
	if err := it.Close(); err != nil {
		s.t.Error(err)
	}
	if n != 0 && n != keys {
		s.t.Errorf("a reader sees %d keys of %d", n, keys)
	}
	return now
}

// concurrent has several tasks, each with a namespace of its own, and readers
// of everything.
func concurrent(t *testing.T, s subject) {
	const tasks, rounds = 4, 60
	var wg sync.WaitGroup
	for task := range int32(tasks) {
		wg.Go(func() {
			if err := s.work(engine.Namespace{Store: "shared", Partition: task}, rounds); err != nil {
				t.Errorf("task %d: %v", task, err)
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for i := range rounds {
				ns := engine.Namespace{Store: "shared", Partition: int32(i % tasks)}
				if err := s.look(ns); err != nil {
					t.Errorf("reader of %v: %v", ns, err)
				}
			}
		})
	}
	wg.Wait()
}

// work writes and drops, and reads its own writes.
func (s subject) work(ns engine.Namespace, rounds int) error {
	for i := range rounds {
		key := fmt.Appendf(nil, "key %d", i%7)
		var b engine.Batch
		b.Set(ns, key, fmt.Append(nil, i))
		b.Delete(ns, fmt.Appendf(nil, "key %d", (i+3)%7))
		b.SetPosition(ns, position(int64(i)))
		if err := s.Write(&b); err != nil {
			return err
		}
		value, ok, err := s.Get(ns, key, nil)
		if err != nil || !ok || string(value) != fmt.Sprint(i) {
			return fmt.Errorf("round %d: Get = %q, %v, %v", i, value, ok, err)
		}
		if p, ok, err := s.Position(ns); err != nil || !ok || p != position(int64(i)) {
			return fmt.Errorf("round %d: Position = %v, %v, %v", i, p, ok, err)
		}
		if i%20 == 19 {
			if err := s.Drop(ns); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s subject) look(ns engine.Namespace) error {
	if _, _, err := s.Get(ns, []byte("key 1"), nil); err != nil {
		return err
	}
	if _, err := s.Namespaces(); err != nil {
		return err
	}
	it, err := s.Range(ns, []byte("key 1"), []byte("key 5"), true)
	if err != nil {
		return err
	}
	_, err = collect(it)
	return err
}
