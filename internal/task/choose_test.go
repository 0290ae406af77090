package task

import (
	"slices"
	"testing"
)

// The heads of the inputs are taken by timestamp, an earlier input's first among
// equals; within an input the order of offsets stands, whatever the timestamps.
func TestChoose(t *testing.T) {
	t.Parallel()
	t1 := newInputs(0, "a", "b", "c")
	for i, times := range [][]int64{{20, 10, 30}, {15, 20, 40}, {15}} {
		for offset, at := range times {
			t1.Enqueue(i, []Message{{Offset: int64(offset), Time: at}}, int64(offset)+1, int64(offset)+1)
		}
	}
	var got []string
	for in := t1.choose(); in != nil; in = t1.choose() {
		got = append(got, in.topic+string('0'+rune(in.pop().Offset)))
	}
	if want := []string{"b0", "c0", "a0", "a1", "b1", "a2", "b2"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
