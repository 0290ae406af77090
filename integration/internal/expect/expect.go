// Package expect knows what the service quartet must put out, given what it was given, and says in what its output
// differs. It knows nothing of leat.
package expect

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

const (
	windowSize  = 2000 // ms
	windowGrace = 1000
	pairsWithin = 500
)

// A Record is one of a topic. Those of a partition are in order.
type Record struct {
	Partition int32
	Key       string
	Value     string
	Null      bool // it has no value
	Time      int64
}

// A Row is a result for a key. No two of a key have the same value.
type Row struct {
	Value string
	Time  int64
}

// Rows are the results for each key, in order.
type Rows map[string][]Row

func (rs Rows) add(key, value string, at int64) { rs[key] = append(rs[key], Row{value, at}) }

// Add takes in a result that was read.
func (rs Rows) Add(r Record) { rs.add(r.Key, r.Value, r.Time) }

// A Fold takes the number of an event into what those before it have come to.
type Fold func(acc, n int64) int64

// One counts, Plus adds, and Once counts numbers that rise in the lower 24 bits, with the last of them, and 1, in front: what comes
// again changes nothing.
func One(acc, _ int64) int64  { return acc + 1 }
func Plus(acc, n int64) int64 { return acc + n }

func Once(acc, n int64) int64 {
	last, count := acc>>24, acc&0xffffff
	if n+1 <= last {
		return acc
	}
	return (n+1)<<24 + count + 1
}

// Counts are what the events of each key come to, one by one, with the greatest of their times.
func Counts(events []Record, fold Fold) Rows {
	counts, total := make(Rows), make(map[string]int64)
	for _, e := range events {
		counts.fold("by "+e.Key, e, total, fold)
	}
	return counts
}

// fold adds the result of one more event of a key.
func (rs Rows) fold(key string, e Record, total map[string]int64, fold Fold) {
	n, _ := strconv.ParseInt(e.Value, 10, 64)
	at := e.Time
	if before := rs[key]; len(before) > 0 {
		at = max(at, before[len(before)-1].Time)
	}
	total[key] = fold(total[key], n)
	rs.add(key, strconv.FormatInt(total[key], 10), at)
}

// Sums are what the events of each key and window come to. An event that comes after its window has closed is left out.
func Sums(events []Record, fold Fold) Rows {
	sums, total, now := make(Rows), make(map[string]int64), make(map[int32]int64)
	for _, e := range events {
		now[e.Partition] = max(now[e.Partition], e.Time)
		start := e.Time - e.Time%windowSize
		if start+windowSize <= now[e.Partition]-windowGrace {
			continue
		}
		sums.fold(fmt.Sprintf("%s@%d", e.Key, start), e, total, fold)
	}
	return sums
}

// Joined are the charges, each with the row that its key had at its time.
func Joined(charges, rows []Record) Rows {
	joined, table := make(Rows), make(map[string]Record)
	merge(rows, charges, func(row Record) {
		table[row.Key] = row
	}, func(charge Record) {
		if row, ok := table[charge.Key]; ok && !row.Null {
			joined.add(charge.Key, charge.Value+" "+row.Value, charge.Time)
		}
	})
	return joined
}

// Pairs are the lefts and rights of each key that are close in time, as soon as the second is there.
func Pairs(lefts, rights []Record) Rows {
	pairs, ls, rs := make(Rows), make(map[string][]Record), make(map[string][]Record)
	near := func(others []Record, at int64) []Record {
		for len(others) > 0 && others[0].Time < at-pairsWithin {
			others = others[1:]
		}
		return others
	}
	merge(lefts, rights, func(l Record) {
		rs[l.Key] = near(rs[l.Key], l.Time)
		for _, r := range rs[l.Key] {
			pairs.add(l.Key, l.Value+" "+r.Value, l.Time)
		}
		ls[l.Key] = append(ls[l.Key], l)
	}, func(r Record) {
		ls[r.Key] = near(ls[r.Key], r.Time)
		for _, l := range ls[r.Key] {
			pairs.add(r.Key, l.Value+" "+r.Value, r.Time)
		}
		rs[r.Key] = append(rs[r.Key], r)
	})
	return pairs
}

// Ordered reports whether the records of each partition are in order of time, as Joined and Pairs need them.
func Ordered(records []Record) bool {
	last := make(map[int32]int64)
	for _, r := range records {
		if r.Time < last[r.Partition] {
			return false
		}
		last[r.Partition] = r.Time
	}
	return true
}

// merge hands over the records of two topics, those of each partition by time. Each topic's partitions are in order of
// time.
func merge(as, bs []Record, onA, onB func(Record)) {
	order := func(x, y Record) int {
		return cmp.Or(cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Time, y.Time))
	}
	as, bs = slices.SortedStableFunc(slices.Values(as), order), slices.SortedStableFunc(slices.Values(bs), order)
	for len(as)+len(bs) > 0 {
		if len(bs) == 0 || len(as) > 0 && order(as[0], bs[0]) <= 0 {
			onA(as[0])
			as = as[1:]
		} else {
			onB(bs[0])
			bs = bs[1:]
		}
	}
}
