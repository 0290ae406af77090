package conformance

import (
	"strconv"
	"strings"

	"github.com/leatstream/leat/pkg/topology"
)

type (
	rows  = topology.Table[string, string]
	maybe = topology.Opt[string]
)

// chains are scenarios in which one operator reads another's table.
var chains = family{
	"chain-count-of-counts": func(b *topology.Builder) {
		printed(b.From(topic("in")).Count(numbers("s")).
			GroupBy(via("r"), func(k string, n int64) (string, string) { return strconv.FormatInt(n, 10), k }).
			Count(numbers("t"))).To(topic("out"))
	},
	"chain-aggregate-groupby": func(b *topology.Builder) {
		b.From(topic("in")).Aggregate(texts("s"), func(acc, _, v string) string { return acc + v }).
			GroupBy(via("r"), func(k, v string) (string, string) { return strconv.Itoa(len(v)), k }).
			Reduce(texts("t"),
				func(acc, v string) string { return acc + v },
				func(acc, v string) string { return strings.Replace(acc, v, "", 1) }).
			Stream().To(topic("out"))
	},
	"chain-count-filter": func(b *topology.Builder) {
		printed(b.From(topic("in")).Count(numbers("s")).Filter(func(_ string, n int64) bool { return n%2 == 0 })).To(topic("out"))
	},
	"chain-table-filter": func(b *topology.Builder) {
		table(b, "in").MapValues(strings.ToLower).Filter(even).Stream().To(topic("out"))
	},
	"chain-derived-join-inner": derivedJoin(func(l, r rows) rows { return l.Join(r, concat) }),
	"chain-derived-join-left":  derivedJoin(func(l, r rows) rows { return l.LeftJoin(r, leftConcat) }),
	"chain-derived-join-outer": derivedJoin(func(l, r rows) rows { return l.OuterJoin(r, outerConcat) }),
	"chain-three-tables": func(b *topology.Builder) {
		table(b, "left").Join(table(b, "right"), concat).LeftJoin(table(b, "third"), leftConcat).Stream().To(topic("out"))
	},
	"chain-join-filter": func(b *topology.Builder) {
		table(b, "left").OuterJoin(table(b, "right"), outerConcat).
			Filter(func(_, v string) bool { return len(v)%2 == 0 }).
			MapValues(func(v string) string { return v + "." }).Stream().To(topic("out"))
	},
	"chain-join-groupby": func(b *topology.Builder) {
		joined := table(b, "left").OuterJoin(table(b, "right"), outerConcat)
		added(joined.GroupBy(via("r"), func(_, v string) (string, string) { return v[:1], v }))
	},
	"chain-self-join": func(b *topology.Builder) {
		t := table(b, "in")
		t.Join(t, concat).Stream().To(topic("out"))
	},
	"chain-table-of-stream-join": func(b *topology.Builder) {
		right := b.From(topic("right")).Table(texts("t"))
		b.From(topic("left")).LeftJoinTable(right, leftConcat).To(topic("out"))
	},
	"chain-stream-derived-table": func(b *topology.Builder) {
		counted := b.From(topic("right")).Count(numbers("c")).
			MapValues(func(n int64) string { return "#" + strconv.FormatInt(n, 10) }).
			Filter(func(_, v string) bool { return v != "#2" })
		b.From(topic("left")).LeftJoinTable(counted, leftConcat).To(topic("out"))
	},
	"chain-fk-of-join-inner": foreignOfJoin(innerForeign),
	"chain-fk-of-join-left":  foreignOfJoin(leftForeign),
	"chain-join-of-fk-inner": joinOfForeign(innerForeign),
	"chain-join-of-fk-left":  joinOfForeign(leftForeign),
	"chain-fk-self-inner":    foreignSelf(innerForeign),
	"chain-fk-self-left":     foreignSelf(leftForeign),
	"chain-fk-derived-inner": foreignDerived(innerForeign),
	"chain-fk-derived-left":  foreignDerived(leftForeign),
	"empty-fk-inner":         emptyForeign(innerForeign),
	"empty-fk-left":          emptyForeign(leftForeign),
	"globaltable-null-inner": globalOfNulls(false),
	"globaltable-null-left":  globalOfNulls(true),
	"empty-aggregates": func(b *topology.Builder) {
		b.From(topic("in")).Reduce(texts("s"), func(acc, v string) string { return acc + "." + v }).Stream().To(topic("out"))
	},
	"empty-groupby": func(b *topology.Builder) { added(table(b, "in").GroupBy(via("r"), byValue)) },
	"empty-table-table": func(b *topology.Builder) {
		table(b, "left").OuterJoin(table(b, "right"), outerConcat).Materialize(texts("s")).Stream().To(topic("out"))
	},
	"stateless-rekey-reduce": func(b *topology.Builder) {
		b.From(topic("in")).
			Filter(func(_, _ string) bool { return true }).
			Process("value-as-key", func(c *context) (topology.Handler[string, string], error) {
				return func(r record) error {
					r.Key, r.NullKey = r.Value, r.NullValue // SelectKey cannot make a null key
					return c.Emit(r)
				}, nil
			}).
			Repartition(via("r")).
			Reduce(texts("s"), func(acc, v string) string { return acc + v }).Stream().To(topic("out"))
	},
	"cogroup-three": func(b *topology.Builder) {
		with := func(mark string) func(acc, k, v string) string {
			return func(acc, _, v string) string { return acc + mark + v }
		}
		b.From(topic("left")).Cogroup(with("+")).
			And(b.From(topic("right")), with("-")).
			And(b.From(topic("third")), with("*")).
			Aggregate(texts("s")).Stream().To(topic("out"))
	},
}

func even(_, v string) bool { return (v[1]-'0')%2 == 0 }

// added writes what the rows of each group were and have become.
func added(g topology.Regrouped[string, string]) {
	g.Aggregate(texts("s"),
		func(acc, _, v string) string { return acc + "+" + v },
		func(acc, _, v string) string { return acc + "-" + v }).
		Stream().To(topic("out"))
}

func derivedJoin(join func(l, r rows) rows) func(*topology.Builder) {
	return func(b *topology.Builder) {
		left := table(b, "left").Filter(even)
		right := table(b, "right").MapValues(func(v string) string { return v + "!" })
		join(left, right).Stream().To(topic("out"))
	}
}

// A foreign joins two tables by a foreign key.
type foreign = func(left, right rows, key func(k, v string) maybe) rows

func innerForeign(left, right rows, key func(k, v string) maybe) rows {
	return left.JoinForeign(right, topology.NewSubscription("fk"), key, concat)
}

func leftForeign(left, right rows, key func(k, v string) maybe) rows {
	return left.LeftJoinForeign(right, topology.NewSubscription("fk"), key, leftConcat)
}

// initial is a foreign key: the first letter, a dash being none.
func initial(_, v string) (fk maybe) {
	if v != "" && v[0] != '-' {
		fk = topology.Some(v[:1])
	}
	return fk
}

func whole(_, v string) maybe { return topology.Some(v) }

func foreignOfJoin(join foreign) func(*topology.Builder) {
	return func(b *topology.Builder) {
		left := table(b, "left").OuterJoin(table(b, "third"), outerConcat).Materialize(texts("j"))
		join(left, table(b, "right"), initial).Stream().To(topic("out"))
	}
}

func joinOfForeign(join foreign) func(*topology.Builder) {
	return func(b *topology.Builder) {
		join(table(b, "left"), table(b, "right"), initial).Materialize(texts("j")).
			LeftJoin(table(b, "third"), leftConcat).Stream().To(topic("out"))
	}
}

func foreignSelf(join foreign) func(*topology.Builder) {
	return func(b *topology.Builder) {
		t := table(b, "in")
		join(t, t, whole).Stream().To(topic("out"))
	}
}

func foreignDerived(join foreign) func(*topology.Builder) {
	return func(b *topology.Builder) {
		joined := join(table(b, "left"), table(b, "right").Filter(even), initial).Materialize(texts("j"))
		printed(joined.GroupBy(via("r"), byValue).Count(numbers("n"))).To(topic("out"))
	}
}

func emptyForeign(join foreign) func(*topology.Builder) {
	return func(b *topology.Builder) {
		join(table(b, "left"), table(b, "right"), whole).Stream().To(topic("out"))
	}
}

// globalOfNulls joins on keys and values that may be null. Java prints a null key.
func globalOfNulls(left bool) func(*topology.Builder) {
	return func(b *topology.Builder) {
		table := b.GlobalTable(topic("global"), texts("global"))
		key := func(_, v string) (k maybe) {
			if v != "x" {
				k = topology.Some(v)
			}
			return k
		}
		in := b.From(topic("stream"))
		var out topology.Stream[string, string]
		if left {
			out = in.LeftJoinGlobal(table, key, leftConcat)
		} else {
			out = in.JoinGlobal(table, key, concat)
		}
		out.Process("print-key", func(c *context) (topology.Handler[string, string], error) {
			return func(r record) error {
				k := r.Key
				if r.NullKey {
					k = "null"
				}
				r.Value = k + ":" + r.Value
				return c.Emit(r)
			}, nil
		}).To(topic("out"))
	}
}
