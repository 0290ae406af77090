package topology_test

import (
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/window"
)

// Whatever two handles meet, Build says that they are of two builders.
func TestTwoBuilders(t *testing.T) {
	t.Parallel()
	other := topology.New()
	for range 9 { // so that what is there has places that the first builder does not have
		other.From(digits).Peek(func(string, string) {})
	}
	stream, table := other.From(digits), other.Table(topology.NewTopic("more", serde.String, serde.String), text("d"))
	global := other.GlobalTable(topology.NewTopic("all", serde.String, serde.String), text("g"))
	key := func(_, v string) topology.Opt[string] { return topology.Some(v) }
	add := func(acc, _, v string) string { return acc + v }
	fold := func(_, v string, _ topology.Opt[string]) topology.Opt[string] { return topology.Some(v) }
	stores := store.Join[string, string, string]("j", serde.String, serde.String, serde.String)
	for name, meet := range map[string]func(*topology.Builder){
		"merge":           func(b *topology.Builder) { b.From(letters).Merge(stream).To(result) },
		"join":            func(b *topology.Builder) { b.From(letters).Join(stream, window.Within(0), stores, pair).To(result) },
		"join-table":      func(b *topology.Builder) { b.From(letters).JoinTable(table, pair).To(result) },
		"left-join-table": func(b *topology.Builder) { b.From(letters).LeftJoinTable(table, leftPair).To(result) },
		"join-table, moved": func(b *topology.Builder) {
			b.From(letters).SelectKey(func(r topology.Record[string, string]) string { return r.Value }).JoinTable(table, pair).To(result)
		},
		"join-table, graced": func(b *topology.Builder) {
			b.From(letters).JoinTable(table, pair, topology.Grace(time.Second, store.Queue("j", serde.String, serde.String))).To(result)
		},
		"tables": func(b *topology.Builder) { b.Table(letters, text("l")).Join(table, pair).Stream().To(result) },
		"foreign": func(b *topology.Builder) {
			b.Table(letters, text("l")).JoinForeign(table, topology.NewSubscription("j"), key, pair)
		},
		"global":  func(b *topology.Builder) { b.From(letters).JoinGlobal(global, key, pair).To(result) },
		"cogroup": func(b *topology.Builder) { b.From(letters).Cogroup(add).And(stream, add).Aggregate(text("c")) },
		"cogroup, fold": func(b *topology.Builder) {
			b.From(letters).Cogroup(add).AndFold(stream, fold).Aggregate(text("c"))
		},
		"windowed cogroup": func(b *topology.Builder) {
			group := b.From(letters).Cogroup(add).And(stream, add)
			topology.WindowedCogroup(group, window.Tumbling(time.Second)).Aggregate(store.Window("w", serde.String, serde.String))
		},
		"session cogroup": func(b *topology.Builder) {
			group := b.From(letters).Cogroup(add).AndFold(stream, fold)
			topology.SessionCogroup(group, window.Sessions(time.Second)).Aggregate(store.Session("s", serde.String, serde.String), func(_, a, b string) string { return a + b })
		},
	} {
		b := topology.New()
		meet(b)
		if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), "from two builders") {
			t.Errorf("%s: %v", name, err)
		}
	}
	other.From(letters).To(result)
	if _, err := other.Build(); err != nil {
		t.Errorf("the other one: %v", err)
	}
}
