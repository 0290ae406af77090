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

func windowName(w window.Windowed[string]) string { return fmt.Sprintf("%s@%d", w.Key, w.Start) }
