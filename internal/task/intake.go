package task

import (
	"fmt"
	"runtime/debug"
)

// A Row is what a record is in a store that is filled straight from a topic which others
// write: a table whose changelog is its source topic, a global table.
type Row struct {
	Key, Value []byte // a nil key makes no row, a nil value deletes one
	Time       int64
	Invalid    bool // by its timestamp, with which the record is to be dropped
}

// An Intake makes the rows of one partition. It does with a record that cannot be decoded
// what a task does that reads it: what nobody can read is not in the store.
//
// Where the policy is to fail it does not judge yet, because what comes later may replace
// the row: see Unread. Until then the store is not to be taken for filled: see Upto.
type Intake struct {
	Row      func(*Message) (Row, error) // fails as processing does; nil: the record is the row
	Policies Policies
	Place    Error                     // but for the offset
	Left     func(why Drop, err error) // is told of what is passed over; may be nil

	unread map[string]*Error // by key
	most   *Error            // from here on they are not told apart
}

// Intake returns what takes in the records of the topic that serves as the changelog of a
// task's store, from one on.
func (s Store) Intake(app, task string, partition int32, p Policies) *Intake {
	in := &Intake{Policies: p, Place: Error{Task: task, Node: "store " + s.Name, Topic: s.Source.Resolve(app), Partition: partition}}
	if s.Rows != nil {
		in.Row = s.Rows()
	}
	return in
}

// maxUnread is how many keys are remembered whose rows cannot be read.
const maxUnread = 1000

// Take makes a row of a record, which has a nil key if there is none.
func (in *Intake) Take(m *Message) (Row, error) {
	if m.Key == nil {
		in.leave(DropNullKey, nil)
		return Row{}, nil
	}
	if in.Row == nil {
		return Row{Key: m.Key, Value: m.Value, Time: m.Time}, nil
	}
	r, err := in.row(m)
	if err != nil {
		return Row{}, in.unreadable(m, err)
	}
	in.replaced(m)
	if r.Invalid {
		in.leave(DropTimestamp, nil)
		return Row{}, nil
	}
	return r, nil
}

func (in *Intake) row(m *Message) (r Row, err error) {
	defer in.place(m, &err)
	return in.Row(m)
}

// place, deferred, says of an error or a panic at which record it was.
func (in *Intake) place(m *Message, err *error) {
	r := recover()
	if r == nil && *err == nil {
		return
	}
	failed := in.Place
	if failed.Offset, failed.Err = m.Offset, *err; r != nil {
		failed.Err, failed.Stack = fmt.Errorf("%w: %v", ErrPanic, r), debug.Stack()
	}
	*err = &failed
}

func (in *Intake) replaced(m *Message) {
	if len(in.unread) > 0 {
		delete(in.unread, string(m.Key))
	}
}

// unreadable remembers a record without a row until its key is written again, if no policy
// passes over it. A deletion leaves nothing to be read, whatever its key is.
func (in *Intake) unreadable(m *Message, err error) error {
	if in.pass(err) == nil {
		return nil
	}
	if _, why := in.Policies.answer(err); why != DropDecode {
		return err
	}
	in.replaced(m)
	switch e := err.(*Error); {
	case m.Value == nil:
	case len(in.unread) < maxUnread:
		if in.unread == nil {
			in.unread = map[string]*Error{}
		}
		in.unread[string(m.Key)] = e
	case in.most == nil:
		in.most = e
	}
	return nil
}

// pass returns err, unless a policy passes over the record. Dead letters are not written
// for it: they were by the task that has processed it, or would be by every process.
func (in *Intake) pass(err error) error {
	policy, why := in.Policies.answer(err)
	if policy == Fail {
		return err
	}
	in.leave(why, err)
	return nil
}

func (in *Intake) leave(why Drop, err error) {
	if in.Left != nil {
		in.Left(why, err)
	}
}

// Upto is how far the store is filled, of whose topic all below next has been taken: what
// has no row yet is to be read again.
func (in *Intake) Upto(next int64) int64 {
	if first := in.first(); first != nil {
		return min(next, first.Offset)
	}
	return next
}

// Unread is the error of the first record that has no row because it could not be
// decoded, and that nothing has replaced; nil if there is none.
func (in *Intake) Unread() error {
	first := in.first()
	if first == nil {
		return nil
	}
	e := *first
	e.Err = fmt.Errorf("%w: a table is filled from this topic and would lack the row: write its key anew, or delete it there, or let the decode policy pass over it", first.Err)
	return &e
}

func (in *Intake) first() *Error {
	first := in.most
	for _, e := range in.unread {
		if first == nil || e.Offset < first.Offset {
			first = e
		}
	}
	return first
}

// PassesOver reports whether records are passed over that cannot be decoded because of
// err. If so, a store which is filled straight from a topic, and holds what cannot be read
// any more, is to be filled anew.
func (p Policies) PassesOver(err error) bool {
	policy, _ := p.answer(fmt.Errorf("%w: %w", ErrDecode, err))
	return policy != Fail
}
