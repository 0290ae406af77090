package main

import (
	"fmt"
	"testing"

	"github.com/leatstream/leat/pkg/topology/topologytest"
)

func TestWordcount(t *testing.T) {
	t.Parallel()
	d := topologytest.New(t, wordcount())
	d.Send(lines, nil, "to be or not to be")
	d.Restart(topologytest.LoseState) // the changelog has it all
	d.Send(lines, nil, "to sleep")

	got := map[string]int64{}
	for _, r := range d.Take(output) {
		got[r.Key] = r.Value
	}
	if got["to"] != 3 || got["be"] != 2 || got["sleep"] != 1 {
		t.Errorf("counts %v", got)
	}
}

func Example() {
	t, err := wordcount().Build()
	if err != nil {
		panic(err)
	}
	fmt.Print(t.Describe())
	// Output:
	// sub-topology 0
	//   reads  text-lines
	//   text-lines (source)
	//   flat-map-values-1 <- text-lines
	//   key-by-2 <- flat-map-values-1
	//   words-sink (repartition) <- key-by-2 -> <application>-words-repartition
	// sub-topology 1
	//   reads  <application>-words-repartition
	//   keeps  counts (changelog <application>-counts-changelog)
	//   words (source)
	//   count-input-5 <- words
	//   counts (count) <- count-input-5 [counts]
	//   to-stream-7 <- counts
	//   sink-8 <- to-stream-7 -> word-counts
}
