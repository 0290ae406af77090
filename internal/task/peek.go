package task

// Peek says where the task's code is now. Any goroutine may call it while the task
// works: it reads words that change under it, so what it says belongs together only
// if the task stands still. It is for telling of code that does not return, and
// costs the task nothing.
//
//go:norace
func (t *Task) Peek() Error {
	e := Error{Task: t.ID()}
	if at := t.at; at < len(t.sub.Nodes) {
		e.Node = t.sub.Nodes[at].Name
	}
	if in, m := t.input, t.current; in != nil && m != nil {
		e.Topic, e.Partition, e.Offset = in.topic, t.partition, m.Offset
	}
	return e
}
