package task

// A Tally is a number that a node keeps beside its stores and can work out from them.
// It is not committed; what a record did to it is undone with the record.
type Tally struct{ N int64 }

// Tally returns a new tally of n. It is called while a node is opened.
func (t *Task) Tally(n int64) *Tally {
	y := &Tally{n}
	t.tallies = append(t.tallies, y)
	return y
}
