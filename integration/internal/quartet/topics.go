package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

const (
	windowSize  = 2 * time.Second
	windowGrace = time.Second
	pairsWithin = 500 * time.Millisecond
)

func texts(name string) topology.Topic[string, string] {
	return topology.NewTopic(name, serde.String, serde.String)
}

func numbers(name string) topology.Topic[string, int64] {
	return topology.NewTopic(name, serde.String, serde.Int64)
}

// number is what an event holds.
func number(v string) int64 {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// once counts numbers that rise, and leaves out those that come again, so that a repetition cannot hide a loss. It keeps how many there
// were, 24 bits, and before that the last one and 1.
func once(acc, n int64) int64 {
	if n < acc>>24 {
		return acc
	}
	return (n+1)<<24 | acc&(1<<24-1) + 1
}

func windowName(w window.Windowed[string]) string { return fmt.Sprintf("%s@%d", w.Key, w.Start) }
