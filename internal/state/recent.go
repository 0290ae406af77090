package state

import (
	"encoding/binary"
	"fmt"

	"github.com/leatstream/leat/internal/engine"
)

// Recent is the layout of a store that keeps the entries used last, so many of them.
//
// An entry's key is a one and then the changelog key. What it was last used for has a
// number, each greater than those before: a two and the changelog key has the number of
// the last use; a zero, the number and the changelog key has nothing, so that the entries
// can be walked in the order of use; a three has how many entries there are. None of
// those is logged. The changelog is written in the order of last use, and an entry that
// was only read goes there again, so that the order lasts.
type Recent struct{ Most int64 }

const (
	recentOrder = iota
	recentEntry
	recentUse
	recentCount
)

// Entry appends the key of an entry to dst.
func (Recent) Entry(dst, key []byte) []byte { return append(append(dst, recentEntry), key...) }

// Entries are the bounds of the entries.
func (Recent) Entries() (lo, hi []byte) { return []byte{recentEntry}, []byte{recentEntry + 1} }

// Logged implements Layout.
func (Recent) Logged(key []byte) []byte {
	if key[0] != recentEntry {
		return nil
	}
	return key[1:]
}

// LogsByUse says that the changelog is written in the order of last change.
func (Recent) LogsByUse() {}

// Commits says that the last number is committed.
func (Recent) Commits() (observed, number bool) { return false, true }

func (Recent) order(dst, key []byte, number int64) []byte {
	return append(binary.BigEndian.AppendUint64(append(dst, recentOrder), uint64(number)), key...)
}

// recount makes number that of the last use that the engine knows of. A replay gives
// numbers, too, so that it may be greater than the one that was committed.
func (s *Store) recount() error {
	lo, hi := []byte{recentOrder}, []byte{recentEntry}
	return s.Range(lo, hi, true, func(key, _ []byte, _ int64) bool {
		s.number = int64(binary.BigEndian.Uint64(key[1:]))
		s.committedNumber = s.number
		return false
	})
}

// Replay implements Layout.
func (l Recent) Replay(r *Restorer, key, value []byte, time int64) error {
	u := use{l, r, r.s, func(n int) []byte { return r.room(n) }}
	was, err := u.forget(key, time)
	if err != nil {
		return err
	}
	r.setRow(l.Entry(r.room(1+len(key)), key), value, time)
	if value == nil {
		if was {
			err = u.add(-1, time)
		}
		return err
	}
	u.note(key, time)
	r.s.committedNumber = r.s.number // no rollback takes it back
	if !was {
		err = u.add(1, time)
	}
	return err
}

// A use keeps the order of the entries of a Recent store, as a task or a restorer sees
// them.
type use struct {
	l    Recent
	r    rows
	s    *Store
	room func(n int) []byte // for a key
}

// last is the number of a key's last use; 0 if it has no entry.
func (u use) last(key []byte) (int64, error) {
	row, err := u.r.row(append(append(u.room(1+len(key)), recentUse), key...))
	if err != nil || row == nil {
		return 0, err
	}
	return number(row)
}

func number(row []byte) (int64, error) {
	if len(row) != 8 {
		return 0, fmt.Errorf("a number of %d bytes: %w", len(row), engine.ErrCorrupt)
	}
	return int64(binary.BigEndian.Uint64(row)), nil
}

// forget takes a key out of the order, and reports whether it was there.
func (u use) forget(key []byte, time int64) (was bool, err error) {
	n, err := u.last(key)
	if err != nil || n == 0 {
		return false, err
	}
	u.r.setRow(u.l.order(u.room(1+8+len(key)), key, n), nil, time)
	u.r.setRow(append(append(u.room(1+len(key)), recentUse), key...), nil, time)
	return true, nil
}

// note puts a key at the end of the order.
func (u use) note(key []byte, time int64) {
	u.s.number++
	order := u.l.order(u.room(1+8+len(key)), key, u.s.number)
	if u.r == rows(u.s) {
		u.s.Absent(order) // numbers are given once; of those that have gone no walk is to know
	}
	u.r.setRow(order, []byte{}, time)
	u.r.setRow(append(append(u.room(1+len(key)), recentUse), key...), binary.BigEndian.AppendUint64(nil, uint64(u.s.number)), time)
}

// count is how many entries there are.
func (u use) count() (int64, error) {
	row, err := u.r.row([]byte{recentCount})
	if err != nil || row == nil {
		return 0, err
	}
	return number(row)
}

func (u use) add(more, time int64) error {
	n, err := u.count()
	if err == nil {
		u.r.setRow(append(u.room(1), recentCount), binary.BigEndian.AppendUint64(nil, uint64(n+more)), time)
	}
	return err
}

func (s *Store) recent() use {
	return use{s.layout.(Recent), s, s, func(n int) []byte { return make([]byte, 0, n) }}
}

// GetRecent is Get that counts as a use of the entry. What was committed last is read
// without that.
func (s *Store) GetRecent(key []byte) (value []byte, time int64, ok bool, err error) {
	u := s.recent()
	entry := u.l.Entry(u.room(1+len(key)), key)
	value, time, ok, err = s.Get(entry)
	if err != nil || !ok || s.hindsight {
		return value, time, ok, err
	}
	n, err := u.last(key)
	if err != nil || n == s.number {
		return value, time, ok, s.unreadable(err)
	}
	if _, err := u.forget(key, time); err != nil {
		return nil, 0, false, s.unreadable(err)
	}
	s.Put(entry, value, time)
	u.note(key, time)
	return s.Get(entry)
}

// PutRecent is Put that counts as a use of the entry, and deletes those that were used
// longest ago until there are no more than the layout allows.
func (s *Store) PutRecent(key, value []byte, time int64) error {
	return s.unreadable(s.putRecent(key, value, time))
}

func (s *Store) putRecent(key, value []byte, time int64) error {
	u := s.recent()
	last, err := u.last(key)
	if err != nil {
		return err
	}
	s.Put(u.l.Entry(u.room(1+len(key)), key), value, time)
	if last > 0 && last == s.number {
		return nil
	}
	was, err := u.forget(key, time)
	if err != nil {
		return err
	}
	if u.note(key, time); was {
		return nil
	}
	if err := u.add(1, time); err != nil {
		return err
	}
	return s.shrink(u, time)
}

// shrink deletes entries until there are no more than there may be.
func (s *Store) shrink(u use, time int64) error {
	n, err := u.count()
	if err != nil || n <= u.l.Most {
		return err
	}
	return s.Range([]byte{recentOrder}, []byte{recentEntry}, false, func(order, _ []byte, _ int64) bool {
		key := append([]byte(nil), order[1+8:]...)
		err = s.deleteRecent(u, key, time)
		n--
		return err == nil && n > u.l.Most
	})
}

// DeleteRecent is Delete.
func (s *Store) DeleteRecent(key []byte, time int64) error {
	return s.unreadable(s.deleteRecent(s.recent(), key, time))
}

func (s *Store) deleteRecent(u use, key []byte, time int64) error {
	s.Delete(u.l.Entry(u.room(1+len(key)), key), time)
	was, err := u.forget(key, time)
	if err != nil || !was {
		return err
	}
	return u.add(-1, time)
}
