package task

import "testing"

// A record that was processed is no longer counted against its feed's limit, so the
// queue must let go of it: its key and value keep a whole fetch in memory.
func TestQueueLetsGo(t *testing.T) {
	t.Parallel()
	in := newInput(Source{}, "app")
	ms := make([]Message, 10_000)
	for i := range ms {
		ms[i] = Message{Offset: int64(i), Value: make([]byte, 8)}
	}
	in.push(ms)
	for !in.empty() {
		in.pop()
	}
	held := 0
	for _, m := range in.queue[:cap(in.queue)] {
		if m.Value != nil {
			held++
		}
	}
	if held > 1 { // the one in hand
		t.Errorf("an empty queue keeps the values of %d records", held)
	}
}
