package task

import "testing"

// newInputs makes a task of nothing but inputs.
func newInputs(maxIdle int64, topics ...string) *Task {
	t := &Task{sub: &Sub{}, maxIdle: maxIdle}
	for _, name := range topics {
		t.inputs = append(t.inputs, newInput(Source{Topic: Topic{Name: name}}, "app"))
	}
	return t
}

func TestReady(t *testing.T) {
	t.Parallel()
	t1 := newInputs(100, "a", "b")
	check := func(what string, now int64, want bool, wantWake int64) {
		t.Helper()
		if ready, wake := t1.Ready(now); ready != want || wake != wantWake {
			t.Errorf("%s: Ready(%d) = %v, %d; want %v, %d", what, now, ready, wake, want, wantWake)
		}
	}
	check("nothing at all", 0, false, 0)
	t1.Enqueue(0, []Message{{Offset: 5}, {Offset: 6}}, 7, 7)
	check("b's end is not known", 1000, false, 0)
	t1.SetEnd(1, 3)
	check("b has records that have not come", 2000, false, 0)
	t1.Enqueue(1, nil, 3, 3) // they were aborted: the position has passed them
	check("b is at its end: wait as long as configured", 3000, false, 3100)
	check("still", 3099, false, 3100)
	check("no longer", 3100, true, 0)
	t1.Enqueue(1, []Message{{Offset: 3}}, 4, 4)
	check("both have records", 3200, true, 0)
	t1.inputs[1].pop()
	check("missed anew: waited for anew", 3300, false, 3400)
	t1.inputs[0].pop()
	t1.inputs[0].pop()
	check("nothing left", 9000, false, 0)
}

func TestReadyWithoutWaiting(t *testing.T) {
	t.Parallel()
	t1 := newInputs(-1, "a", "b")
	t1.Enqueue(0, []Message{{Offset: 5}}, 6, 6)
	if ready, _ := t1.Ready(0); !ready {
		t.Error("a negative max_task_idle waits for nothing")
	}
	t1 = newInputs(0, "a", "b")
	t1.inputs[1].absent = true
	t1.Enqueue(0, []Message{{Offset: 5}}, 6, 6)
	if ready, _ := t1.Ready(0); !ready {
		t.Error("a topic without a partition for the task is not waited for")
	}
}

// What is committed passes markers and aborted records, but no record that waits.
func TestPositionPassesMarkers(t *testing.T) {
	t.Parallel()
	t1 := newInputs(0, "a")
	t1.Enqueue(0, nil, 10, 10)
	if got := t1.Points()[0].Offset; got != 10 {
		t.Errorf("after markers alone: %d, want 10", got)
	}
	t1.Enqueue(0, []Message{{Offset: 12}}, 14, 14)
	if got := t1.Points()[0].Offset; got != 10 {
		t.Errorf("while a record waits: %d, want 10", got)
	}
}

func TestQueueKeepsOrderAndMemory(t *testing.T) {
	t.Parallel()
	in := newInput(Source{}, "app")
	next, want := int64(0), int64(0)
	for range 10_000 {
		for range 3 {
			in.push([]Message{{Offset: next}})
			next++
		}
		for range 3 - int(next/3%2) + int((next/3+1)%2) {
			if in.empty() {
				break
			}
			if m := in.pop(); m.Offset != want {
				t.Fatalf("popped %d, want %d", m.Offset, want)
			}
			want++
		}
	}
	if cap(in.queue) > 1000 {
		t.Errorf("a short queue holds %d places", cap(in.queue))
	}
}

// What waits can be given back: it is enqueued once more, and nothing of the task's
// position is lost.
func TestReturn(t *testing.T) {
	t.Parallel()
	in := newInput(Source{}, "app")
	in.next, in.fetched = 5, 5
	tk := &Task{inputs: []*input{in}}
	if _, ok := tk.Return(0); ok {
		t.Error("something of nothing was given back")
	}
	tk.Enqueue(0, []Message{{Offset: 5}, {Offset: 7}, {Offset: 9}}, 12, 12)
	in.done(in.pop())
	from, ok := tk.Return(0)
	if !ok || from != 7 || tk.Queued(0) != 0 || in.next != 6 || !tk.Lags() {
		t.Errorf("from %d, %v, with %d queued, next %d", from, ok, tk.Queued(0), in.next)
	}
	tk.Enqueue(0, []Message{{Offset: 7}, {Offset: 9}}, 12, 12)
	in.done(in.pop())
	if in.done(in.pop()); in.next != 12 || tk.Lags() {
		t.Errorf("next %d", in.next)
	}
}
