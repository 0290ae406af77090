package store

import (
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/pkg/serde"
)

// A Change is a key's value before and after.
type Change[K, V any] struct {
	Key              K
	New, Old         V
	NullNew, NullOld bool
	Time             int64 // ms
}

// changed decodes what changed in s since the last commit, in the order of last change.
func changed[K, V any](s *state.Store, key func([]byte) (K, error), value serde.Serde[V], fn func(Change[K, V]) error) error {
	layout := s.Layout()
	return s.LastChanges(func(c state.Change) (err error) {
		if layout.Logged(c.Key) == nil { // it serves another entry
			return nil
		}
		if !c.OldRead {
			if c.Old, err = s.Committed(c.Key); err != nil {
				return err
			}
		}
		out := Change[K, V]{NullNew: c.Value == nil, NullOld: c.Old == nil, Time: c.Time}
		if out.Key, err = key(c.Key); err != nil {
			return err
		}
		if !out.NullNew {
			if out.New, err = value.Decode(c.Value); err != nil {
				return err
			}
		}
		if !out.NullOld {
			if out.Old, err = value.Decode(c.Old); err != nil {
				return err
			}
		}
		return fn(out)
	})
}
