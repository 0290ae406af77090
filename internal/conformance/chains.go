package conformance

import (
	"strconv"
	"strings"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

type (
	rows  = topology.Table[string, string]
	maybe = topology.Opt[string]
)

// chains are scenarios in which one operator reads another's table or stream.
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
	"globaltable-null-inner": globalOfNulls(false),
	"globaltable-null-left":  globalOfNulls(true),
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
	"chained-stream-table": func(b *topology.Builder) {
		one, two := table(b, "t1"), table(b, "t2")
		b.From(topic("stream")).JoinTable(one, concat).LeftJoinTable(two, leftConcat).To(topic("out"))
	},
	"table-chain-inner": func(b *topology.Builder) {
		table(b, "t1").Join(table(b, "t2"), concat).Join(table(b, "t3"), concat).Stream().To(topic("out"))
	},
	"table-chain-left": func(b *topology.Builder) {
		table(b, "t1").LeftJoin(table(b, "t2"), leftConcat).LeftJoin(table(b, "t3"), leftConcat).Stream().To(topic("out"))
	},
	"table-chain-outer": func(b *topology.Builder) {
		table(b, "t1").OuterJoin(table(b, "t2"), outerConcat).OuterJoin(table(b, "t3"), outerConcat).Stream().To(topic("out"))
	},
	"table-derived-join": func(b *topology.Builder) {
		one := table(b, "t1").Filter(odd).MapValues(strings.ToUpper)
		two := table(b, "t2").MapValues(func(v string) string { return v + "!" }).Filter(func(_, v string) bool { return v[1] != '3' })
		one.Join(two, concat).Stream().To(topic("out"))
	},
	"table-filter-bare": func(b *topology.Builder) {
		table(b, "in").Filter(odd).MapValues(strings.ToUpper).Stream().To(topic("out"))
	},
	"table-filternot-then-group": func(b *topology.Builder) {
		kept := table(b, "in").Filter(func(_, v string) bool { return !strings.HasPrefix(v, "g1") })
		printed(kept.GroupBy(via("r"), byValue).Count(numbers("s"))).To(topic("out"))
	},
	"join-then-group": func(b *topology.Builder) {
		both := table(b, "t1").LeftJoin(table(b, "t2"), leftConcat).Materialize(texts("both"))
		printed(both.GroupBy(via("r"), func(k, v string) (string, string) {
			_, right, _ := strings.Cut(v, "+")
			return right, k
		}).Count(numbers("s"))).To(topic("out"))
	},
	"fk-join-on-join": func(b *topology.Builder) {
		table(b, "left").LeftJoin(table(b, "extra"), leftConcat).Materialize(texts("le")).
			JoinForeign(table(b, "right"), topology.NewSubscription("fk"), beforeBar, concat).Materialize(texts("fk")).
			Stream().To(topic("out"))
	},
	"fk-join-then-join": func(b *topology.Builder) {
		table(b, "left").
			LeftJoinForeign(table(b, "right"), topology.NewSubscription("fk"), beforeBar, leftConcat).Materialize(texts("fk")).
			Join(table(b, "extra"), concat).Materialize(texts("je")).
			Stream().To(topic("out"))
	},
	"global-chain": func(b *topology.Builder) {
		one, two := b.GlobalTable(topic("g1"), texts("g1")), b.GlobalTable(topic("g2"), texts("g2"))
		b.From(topic("stream")).JoinGlobal(one, firstLetter, concat).
			LeftJoinGlobal(two, func(k, _ string) topology.Opt[string] { return topology.Some(k) }, leftConcat).
			To(topic("out"))
	},
	"stream-join-then-count": func(b *topology.Builder) {
		both := b.From(topic("left")).Join(b.From(topic("right")), window.Within(ms(400)).Grace(ms(200)), joined, concat)
		printed(both.Count(numbers("s"))).To(topic("out"))
	},
	"stream-join-then-table": func(b *topology.Builder) {
		rows := table(b, "table")
		b.From(topic("left")).OuterJoin(b.From(topic("right")), window.Within(ms(400)).Grace(ms(200)), joined, outerConcat).
			LeftJoinTable(rows, leftConcat).To(topic("out"))
	},
	"stream-join-chain": func(b *topology.Builder) {
		w := window.Within(ms(300)).Grace(ms(300))
		joins := func(name string) store.JoinStores[string, string, string] {
			return store.Join(name, serde.String, serde.String, serde.String)
		}
		b.From(topic("a")).Join(b.From(topic("b")), w, joins("j1"), concat).
			LeftJoin(b.From(topic("c")), w, joins("j2"), leftConcat).To(topic("out"))
	},
	"rekeyed-stream-table": func(b *topology.Builder) {
		rows := table(b, "table")
		b.From(topic("stream")).KeyBy(via("r"), func(_, v string) string { return v[:1] }).JoinTable(rows, concat).To(topic("out"))
	},
	"rekeyed-to-table": func(b *topology.Builder) {
		b.From(topic("in")).Map(func(_, v string) (string, string) { return v, v }).
			Repartition(via("r")).Table(texts("s")).Stream().To(topic("out"))
	},
	"merge-then-count": func(b *topology.Builder) {
		all := b.From(topic("a")).Merge(b.From(topic("b")).MapValues(strings.ToUpper))
		printed(all.KeyBy(via("r"), func(_, v string) string { return v }).Count(numbers("s"))).To(topic("out"))
	},
	"flatmapvalues-count": func(b *topology.Builder) {
		letters := b.From(topic("in")).FlatMapValues(func(v string) []string { return strings.Split(v, "") })
		printed(letters.KeyBy(via("r"), func(_, v string) string { return v }).Count(numbers("s"))).To(topic("out"))
	},
	"suppress-table-join": func(b *topology.Builder) {
		table(b, "t1").LeftJoin(table(b, "t2"), leftConcat).
			Suppress(topology.UntilTimeLimit(ms(800), store.Buffer("held", serde.String, serde.String))).
			Stream().To(topic("out"))
	},
	"versioned-table-inner": func(b *topology.Builder) {
		versionsOf(b, "left").Join(versionsOf(b, "right"), concat).Stream().To(topic("out"))
	},
	"versioned-table-left": func(b *topology.Builder) {
		versionsOf(b, "left").LeftJoin(versionsOf(b, "right"), leftConcat).Stream().To(topic("out"))
	},
	"versioned-table-outer": func(b *topology.Builder) {
		versionsOf(b, "left").OuterJoin(versionsOf(b, "right"), outerConcat).Stream().To(topic("out"))
	},
	"versioned-group": func(b *topology.Builder) {
		printed(versionsOf(b, "in").GroupBy(via("r"), byValue).Count(numbers("s"))).To(topic("out"))
	},
	"versioned-filter": func(b *topology.Builder) {
		versionsOf(b, "in").Filter(odd).Stream().To(topic("out"))
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

func odd(_, v string) bool { return (v[1]-'0')%2 == 1 }

func versionsOf(b *topology.Builder, name string) topology.Table[string, string] {
	return b.Table(topic(name), store.Versioned(name+"-vs", serde.String, serde.String, ms(2000)))
}
