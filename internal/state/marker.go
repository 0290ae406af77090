package state

import (
	"fmt"
	"math"

	"github.com/leatstream/leat/internal/engine"
)

// What a store's layout was is kept beside it: a store that is opened with another one,
// because its retention or what it is used for has changed, could not find its entries.
// It begins empty then, and is restored.

// marker is where the layout of a store is kept, in a namespace without a position. Only
// a shared store has no partition.
func marker(ns engine.Namespace) engine.Namespace {
	at := int32(math.MinInt32) + ns.Partition
	if ns.Partition < 0 {
		at = math.MinInt32 / 2
	}
	return engine.Namespace{Store: ns.Store, Partition: at}
}

var markerKey = []byte("layout")

// form says how a layout keeps entries. What it keeps as they are in the changelog needs
// no mark.
func form(l Layout) string {
	switch l := l.(type) {
	case Plain:
		return ""
	case Recent:
		return fmt.Sprintf("%T", l) // how many there may be does not matter
	case Segments:
		l.Retention = 0 // decides what is read, not where it is
		return fmt.Sprintf("%T%+v", l, l)
	}
	return fmt.Sprintf("%T%+v", l, l)
}

// mark drops what was kept by another layout than l, and takes note of l.
func mark(eng engine.Engine, ns engine.Namespace, l Layout) error {
	was, _, err := eng.Get(marker(ns), markerKey, nil)
	if err != nil || string(was) == form(l) {
		return err
	}
	if err := eng.Drop(ns); err != nil {
		return err
	}
	var b engine.Batch
	b.Set(marker(ns), markerKey, []byte(form(l)))
	return eng.Write(&b)
}
