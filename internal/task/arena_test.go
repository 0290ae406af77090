package task

import "testing"

// Pieces are used again when all records that were there as they were told of are with the brokers, and not sooner.
func TestArenaIsUsedAgain(t *testing.T) {
	t.Parallel()
	a := Arena{pool: &Pool{}}
	fill := func(pieces int) {
		for range pieces * chunkSize / minTail {
			a.Copy(make([]byte, minTail))
		}
	}
	spare := func(when string, want int) {
		t.Helper()
		if n := len(a.pool.spare); n != want {
			t.Errorf("%s %d pieces are free, not %d", when, n, want)
		}
	}
	fill(3) // two are full as soon as the third is begun
	a.Sent(100, 0)
	spare("at first", 0)
	fill(1)
	a.Sent(200, 99)
	spare("before the hundredth record", 0)
	a.Sent(300, 100)
	spare("with the hundredth record", 2)
	a.Sent(300, 200)
	spare("with two hundred", 3)
	if a.Full() {
		t.Error("there is something full still")
	}
	fill(1)
	spare("with more to be kept", 2)
	a.reset()
	spare("at the end", 4)
}
