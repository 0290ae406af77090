package state

// An undo is what an entry was before one write.
type undo struct {
	e        *entry
	cur, old value
	changed  int64
	dirty    bool
}

// Mark starts to remember how to undo writes, in place of an earlier mark. Without
// one that costs nothing.
func (s *Store) Mark() {
	s.Release()
	s.marked = true
	s.markedTime, s.markedFloor, s.markedNumber, s.markedLog = s.observed, s.expiring, s.number, len(s.log)
}

// Release forgets the mark and keeps the writes.
func (s *Store) Release() {
	s.marked = false
	clear(s.journal)
	s.journal = s.journal[:0]
}

// Undo takes back every write since Mark, and forgets the mark.
func (s *Store) Undo() {
	s.observed, s.expiring, s.number, s.log = s.markedTime, s.markedFloor, s.markedNumber, s.log[:s.markedLog]
	for i := len(s.journal) - 1; i >= 0; i-- {
		u := s.journal[i]
		u.e.cur, u.e.old, u.e.changed = u.cur, u.old, u.changed
		if u.dirty {
			s.account(u.e)
			s.place(u.e)
			continue
		}
		u.e.dirty = false
		s.dirty = s.dirty[:len(s.dirty)-1] // the last that joined is the first to leave
		s.settle(u.e)
	}
	s.Release()
}
