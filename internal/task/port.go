package task

import "slices"

// A Port is the typed outlet of a node: its readers, called one after the other.
type Port[R any] struct {
	readers []func(R) error
}

// Subscribe adds a reader before the others: nodes are opened from the last to the
// first, and their readers run in the order in which the author wrote them.
func (p *Port[R]) Subscribe(read func(R) error) { p.readers = slices.Insert(p.readers, 0, read) }

// Emit hands r to every reader and stops at the first error.
func (p *Port[R]) Emit(r R) error {
	for _, read := range p.readers {
		if err := read(r); err != nil {
			return err
		}
	}
	return nil
}

// Outlet returns the port of the node at place id. The one type assertion of a
// node's life happens here, when the task is wired, never per record.
func Outlet[R any](t *Task, id int) *Port[R] {
	if t.ports[id] == nil {
		t.ports[id] = new(Port[R])
	}
	return t.ports[id].(*Port[R])
}
