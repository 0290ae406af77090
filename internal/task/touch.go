package task

import "github.com/leatstream/leat/internal/state"

// touch has the stores look for what the next records of an input will ask for.
func (t *Task) touch(in *input) {
	n := min(len(in.queue)-in.head, state.Ahead)
	if in.touched = n - 1; n < state.Ahead || len(t.stores) == 0 || t.current == nil {
		return
	}
	var next [state.Ahead][]byte
	for i := range next {
		next[i] = in.queue[in.head+i].Key
	}
	for _, s := range t.stores {
		s.State.Touch(t.current.Key, &next)
	}
}
