package expect

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Difference is how results differ from what they should be.
type Difference struct {
	Lost       int // rows that are not there
	Duplicated int // rows that are there again
	Wrong      int // rows that should not be there, or not in that place
	Examples   []string
}

const examples = 10

func (d *Difference) example(format string, args ...any) {
	if len(d.Examples) < examples {
		d.Examples = append(d.Examples, fmt.Sprintf(format, args...))
	}
}

// Add adds up differences.
func (d *Difference) Add(e Difference) {
	d.Lost += e.Lost
	d.Duplicated += e.Duplicated
	d.Wrong += e.Wrong
	for _, x := range e.Examples {
		d.example("%s", x)
	}
}

func (d Difference) String() string {
	s := fmt.Sprintf("lost=%d duplicated=%d wrong=%d", d.Lost, d.Duplicated, d.Wrong)
	if len(d.Examples) > 0 {
		s += ": " + strings.Join(d.Examples, "; ")
	}
	return s
}

// Exactly compares rows, in order, with what they should be.
func (want Rows) Exactly(got Rows) (d Difference) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		d.Add(inOrder(key, want[key], got[key]))
	}
	d.strangers(want, got)
	return d
}

// strangers adds the rows of keys that should have none.
func (d *Difference) strangers(want, got Rows) {
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if len(want[key]) == 0 {
			d.Wrong += len(got[key])
			d.example("%q has %v, and should have nothing", key, got[key][0])
		}
	}
}

func inOrder(key string, want, got []Row) (d Difference) {
	if slices.Equal(want, got) {
		return d
	}
	place, seen := make(map[Row]int, len(want)), make([]bool, len(want))
	for i, r := range want {
		place[r] = i
	}
	next := 0
	for i, r := range got {
		at, known := place[r]
		switch {
		case !known:
			d.Wrong++
			d.example("%q: row %d is %v, which is none of its", key, i, r)
		case seen[at]:
			d.Duplicated++
			d.example("%q: row %d is %v, which has been there before", key, i, r)
		case at < next:
			d.Wrong++
			d.example("%q: row %d is %v, which comes too late", key, i, r)
		default:
			next = at + 1
		}
		if known {
			seen[at] = true
		}
	}
	for i, there := range seen {
		if !there {
			d.Lost++
			d.example("%q: %v is missing", key, want[i])
		}
	}
	return d
}

// Repeated compares results with what they should be, where crashes may repeat results and leave some out, but not the last of a key.
func (want Rows) Repeated(got Rows) (d Difference) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		known, last := make(map[string]bool), want[key][len(want[key])-1].Value
		for _, r := range want[key] {
			known[r.Value] = true
		}
		reached := false
		for _, r := range got[key] {
			reached = reached || r.Value == last
			if !known[r.Value] {
				d.Wrong++
				d.example("%q: %v is none of its", key, r)
			}
		}
		if !reached {
			d.Lost++
			d.example("%q does not come to %s", key, last)
		}
		d.Duplicated += max(0, len(got[key])-len(want[key]))
	}
	d.strangers(want, got)
	return d
}

// AtLeast compares the identities of rows with what they should be, where crashes may repeat rows.
func (want Rows) AtLeast(got Rows, identity func(value string) string) (d Difference) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		have := make(map[string]bool)
		for _, r := range got[key] {
			have[identity(r.Value)] = true
		}
		for _, r := range want[key] {
			if !have[identity(r.Value)] {
				d.Lost++
				d.example("%q: %v is missing", key, r)
			}
		}
		d.Duplicated += max(0, len(got[key])-len(want[key]))
	}
	return d
}

// First is the identity of a row that its first word tells from others.
func First(value string) string {
	first, _, _ := strings.Cut(value, " ")
	return first
}

// Whole is the identity of a row that only all of it tells from others.
func Whole(value string) string { return value }

// Last is the last row of each key.
func (rs Rows) Last() Rows {
	last := make(Rows)
	for key, rows := range rs {
		last[key] = rows[len(rows)-1:]
	}
	return last
}
