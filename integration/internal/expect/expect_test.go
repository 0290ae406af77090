package expect_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/leatstream/leat/integration/internal/expect"
)

// records reads "partition key value time" each; a value of - is null.
func records(t *testing.T, texts ...string) (rs []expect.Record) {
	t.Helper()
	for _, text := range texts {
		var r expect.Record
		if _, err := fmt.Sscan(text, &r.Partition, &r.Key, &r.Value, &r.Time); err != nil {
			t.Fatal(text, err)
		}
		if r.Null = r.Value == "-"; r.Null {
			r.Value = ""
		}
		rs = append(rs, r)
	}
	return rs
}

func show(rs expect.Rows) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(rs)) {
		parts = append(parts, fmt.Sprint(key, rs[key]))
	}
	return strings.Join(parts, " ")
}

func TestModels(t *testing.T) {
	t.Parallel()
	events := records(t, "0 a 1 1000", "1 b 2 9000", "0 a 3 900", "0 a 4 2500", "0 c 5 4999", "0 a 6 1999", "0 a 7 2999")
	rows := records(t, "0 a r1 10", "0 a r2 20", "0 a - 30", "0 b r3 15")
	charges := records(t, "0 a c1 5", "0 a c2 15", "0 a c3 25", "0 a c4 35", "0 b c5 16", "0 z c6 17")
	lefts := records(t, "0 a l1 1000", "0 a l2 1400", "1 b l3 10")
	rights := records(t, "0 a r1 900", "0 a r2 1500", "0 a r3 1501", "1 b r4 511")
	for _, c := range []struct {
		name string
		got  expect.Rows
		want string
	}{
		{"counts", expect.Counts(events, expect.One), "by a[{1 1000} {2 1000} {3 2500} {4 2500} {5 2999}] by b[{1 9000}] by c[{1 4999}]"},
		{"sums", expect.Sums(events, expect.Plus), "a@0[{1 1000} {4 1000}] a@2000[{4 2500} {11 2999}] b@8000[{2 9000}] c@4000[{5 4999}]"},
		{"joined", expect.Joined(charges, rows), "a[{c2 r1 15} {c3 r2 25}] b[{c5 r3 16}]"},
		{"pairs", expect.Pairs(lefts, rights), "a[{l1 r1 1000} {l2 r1 1400} {l1 r2 1500} {l2 r2 1500} {l2 r3 1501}]"},
	} {
		if got := show(c.got); got != c.want {
			t.Errorf("%s: got  %s\nwant %s", c.name, got, c.want)
		}
	}
}

// sequence makes rows of one key out of letters.
func sequence(letters string) expect.Rows {
	rs := make(expect.Rows)
	for _, l := range letters {
		rs.Add(expect.Record{Key: "k", Value: string(l), Time: int64(l)})
	}
	return rs
}

func TestExactly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		got                     string
		lost, duplicated, wrong int
	}{
		{"abcd", 0, 0, 0},
		{"abd", 1, 0, 0},
		{"abc", 1, 0, 0},
		{"", 4, 0, 0},
		{"abbcd", 0, 1, 0},
		{"abcdab", 0, 2, 0},
		{"abxd", 1, 0, 1},
		{"acbd", 0, 0, 1},
	} {
		d := sequence("abcd").Exactly(sequence(c.got))
		if d.Lost != c.lost || d.Duplicated != c.duplicated || d.Wrong != c.wrong {
			t.Errorf("%q: %v", c.got, d)
		}
	}
	other := sequence("abcd")
	other["l"] = []expect.Row{{Value: "x"}}
	if d := sequence("abcd").Exactly(other); d.Wrong != 1 {
		t.Error("a key that should not be there:", d)
	}
	late := sequence("abcd")
	late["k"][1].Time++
	if d := sequence("abcd").Exactly(late); d.Wrong != 1 || d.Lost != 1 {
		t.Error("another time:", d)
	}
}

func TestAtLeastOnce(t *testing.T) {
	t.Parallel()
	for got, lost := range map[string]int{"abcd": 0, "abccd": 0, "abdcxd": 0, "abd": 1, "": 4} {
		if d := sequence("abcd").AtLeast(sequence(got), expect.Whole); d.Lost != lost || d.Duplicated != max(0, len(got)-4) {
			t.Errorf("%q: %v", got, d)
		}
	}
	for got, want := range map[string]expect.Difference{
		"1234": {}, "12344": {Duplicated: 1}, "12342": {Duplicated: 1}, "134": {}, "444": {}, "123": {Lost: 1}, "": {Lost: 1}, "12345": {Duplicated: 1, Wrong: 1}, "1235": {Lost: 1, Wrong: 1},
	} {
		if d := sequence("1234").Repeated(sequence(got)); d.Lost != want.Lost || d.Duplicated != want.Duplicated || d.Wrong != want.Wrong {
			t.Errorf("%q: %v", got, d)
		}
	}
	events := records(t, "0 a 0 1000", "0 a 3 1000", "0 a 7 1000")
	want := expect.Counts(events, expect.Once)
	if d := want.Repeated(expect.Counts(append(events, events...), expect.Once)); d.Lost != 0 || d.Wrong != 0 || d.Duplicated != 3 {
		t.Error("what comes again:", d)
	}
	if d := want.Repeated(expect.Counts(append(events[:1:1], events[2], events[2]), expect.Once)); d.Lost != 1 || d.Wrong != 2 {
		t.Error("a loss beside what comes again:", d)
	}
	if expect.First("c1 r1") != "c1" {
		t.Error(expect.First("c1 r1"))
	}
}

func TestOrdered(t *testing.T) {
	t.Parallel()
	records := []expect.Record{{Partition: 1, Time: 5}, {Partition: 0, Time: 3}, {Partition: 1, Time: 5}, {Partition: 0, Time: 4}}
	if !expect.Ordered(records) {
		t.Error("what is in order is not")
	}
	if expect.Ordered(append(records, expect.Record{Partition: 1, Time: 4})) {
		t.Error("what is not in order is")
	}
}
