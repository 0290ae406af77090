package task

import (
	"fmt"

	"github.com/leatstream/leat/internal/state"
)

// samples is how many entries of a store are checked from each end. All would cost
// what decoding them costs; those that a release left unread are most of them or few.
const samples = 64

// sample shows some of a store's entries to its serdes, if they can tell from them that
// the store cannot be read. Found at the first record instead, the task would fail again
// and again on what no policy passes over.
func (t *Task) sample(spec Store, s *state.Store) error {
	if spec.Checker == nil {
		return nil
	}
	check := spec.Checker(spec.Restored(t.app))
	if check == nil {
		return nil
	}
	versions, versioned := s.Layout().(state.Versions)
	var lo, hi []byte
	if l, ok := s.Layout().(interface{ Entries() (lo, hi []byte) }); ok {
		lo, hi = l.Entries() // what else there is may be as much
	}
	err := bothEnds(s, lo, hi, func(key, value []byte) (data bool, err error) {
		if versioned {
			return true, versions.Each(key, value, check)
		}
		logged := s.Layout().Logged(key)
		if logged == nil {
			return false, nil
		}
		return true, check(logged, value)
	})
	if err != nil {
		return &Error{Task: t.ID(), Node: "store " + spec.Name, Err: err}
	}
	return nil
}

// Sample is what is done of a task's stores when it is made, for a global table that has
// been filled.
func (g Global) Sample(s *state.Shared) error {
	if g.Checker == nil {
		return nil
	}
	check := g.Checker(g.Topic)
	if check == nil {
		return nil
	}
	err := bothEnds(s, nil, nil, func(key, value []byte) (bool, error) { return true, check(key, value) })
	if err != nil {
		return fmt.Errorf("global table %s, topic %s: %w", g.Store, g.Topic, err)
	}
	return nil
}

// A ranger is a store.
type ranger interface {
	Range(lo, hi []byte, reverse bool, yield func(key, value []byte, time int64) bool) error
}

// bothEnds shows the first and the last entries of a store between two keys to check,
// which returns false for one that holds no data.
func bothEnds(s ranger, lo, hi []byte, check func(key, value []byte) (data bool, err error)) error {
	for _, reverse := range []bool{false, true} {
		n, passed, failed := 0, 0, error(nil)
		err := s.Range(lo, hi, reverse, func(key, value []byte, _ int64) bool {
			var data bool
			if data, failed = check(key, value); data {
				n++
			} else {
				passed++
			}
			return failed == nil && n < samples && passed < 100*samples
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return err
		}
	}
	return nil
}
