package task

import "github.com/leatstream/leat/internal/state"

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
	for _, reverse := range []bool{false, true} {
		n, passed, failed := 0, 0, error(nil)
		err := s.Range(nil, nil, reverse, func(key, value []byte, _ int64) bool {
			logged := s.Layout().Logged(key)
			if logged == nil {
				passed++ // not an entry of its own
				return passed < 100*samples
			}
			failed = check(logged, value)
			n++
			return failed == nil && n < samples
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return &Error{Task: t.ID(), Node: "store " + spec.Name, Err: err}
		}
	}
	return nil
}
