package task

import (
	"cmp"

	"github.com/leatstream/leat/internal/state"
)

// readable finds out whether the serdes of a store can read what it holds. Found at the
// first record instead, the task would fail again and again on what no policy passes over.
// Of serdes that tell forms all of it is known; for the others some entries are decoded.
func (t *Task) readable(spec Store, s *state.Store) error {
	err := readable(s, spec.Decoder, spec.Restored(t.app))
	if err != nil {
		return &Error{Task: t.ID(), Node: "store " + spec.Name, Err: err}
	}
	return nil
}

func readable(s *state.Store, decoder func(changelog string) func(key, value []byte) error, changelog string) error {
	err := s.Readable()
	if err == nil && decoder != nil {
		if decode := decoder(changelog); decode != nil {
			err = sample(s, decode)
		}
	}
	return err
}

// samples is how many entries of a store are decoded from each end. All would cost as
// much as a restore; those that a release left unreadable are most of them or few.
const samples = 64

// sample decodes the first and the last entries of a store.
func sample(s *state.Store, decode func(key, value []byte) error) error {
	var lo, hi []byte
	if l, ok := s.Layout().(interface{ Entries() (lo, hi []byte) }); ok {
		lo, hi = l.Entries() // what else there is may be as much
	}
	for _, reverse := range []bool{false, true} {
		n, passed, failed := 0, 0, error(nil)
		err := s.Range(lo, hi, reverse, func(key, value []byte, _ int64) bool {
			var data bool
			if data, failed = s.EachLogged(key, value, decode); data {
				n++
			} else {
				passed++
			}
			return failed == nil && n < samples && passed < 100*samples
		})
		if err := cmp.Or(failed, err); err != nil {
			return err
		}
	}
	return nil
}
