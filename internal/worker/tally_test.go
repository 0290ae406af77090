package worker

import (
	"fmt"
	"maps"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestTally(t *testing.T) { // not in parallel: it counts allocations
	var tl tally
	for round := range 3 {
		want := map[string]int64{}
		for i := range 3 * few * (round + 1) {
			topic := fmt.Sprint("t", i%(few*(round+1)))
			tl.add(record(topic), int64(i))
			want[topic] += int64(i)
		}
		got := map[string]int64{}
		tl.each(func(topic string, n int64) { got[topic] += n })
		if !maps.Equal(got, want) {
			t.Errorf("round %d: %v, not %v", round, got, want)
		}
		if len(tl.fresh) != few*(round+1) {
			t.Errorf("round %d: %d topics were new", round, len(tl.fresh))
		}
		tl.next()
	}
	two := []sent{record("t1"), record("t2")}
	if n := testing.AllocsPerRun(100, func() { tl.add(two[0], 1); tl.add(two[1], 1) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTally(b *testing.B) {
	var tl tally
	two := []sent{record("application-counts-changelog"), record("word-counts")}
	for i := 0; b.Loop(); i++ {
		tl.add(two[i%2], 1)
	}
}

func record(topic string) sent { return sent{&kgo.Record{Topic: topic}, &chunk{}} }
