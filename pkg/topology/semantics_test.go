package topology_test

import (
	"errors"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/layout"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// refusing is a serde that cannot write "bad".
type refusing struct{ serde.Serde[string] }

func (s refusing) Append(dst []byte, v string) ([]byte, error) {
	if v == "bad" {
		return dst, errors.New("refused")
	}
	return s.Serde.Append(dst, v)
}

// Rule 8: repartition and changelog writes are never skippable. That rests on user
// code handing the error of Emit on, wrapped with %w. A handler that makes another
// error of it has its record skipped; one that ignores it loses the write and keeps
// the rest of what the record did. The same goes for errors of the engine
// (state.Error), which a View returns to user code.
func TestUnskippableCannotBeHidden(t *testing.T) {
	t.Parallel()
	for name, hide := range map[string]func(error) error{
		"as another error": func(err error) error { return errors.New("emit: " + err.Error()) },
		"ignored":          func(error) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := topology.NewTopic("in", serde.String, serde.String)
			via := topology.NewRepartition("via", serde.String, serde.Serde[string](refusing{serde.String}))
			b := topology.New()
			b.From(in).Process("p", func(c *topology.Context[string, string]) (topology.Handler[string, string], error) {
				return func(r topology.Record[string, string]) error {
					if err := c.Emit(r); err != nil {
						return hide(err)
					}
					return nil
				}, nil
			}).Repartition(via).Count(store.KeyValue("n", serde.String, serde.Int64))
			var failed error
			d := topologytest.New(t, b, topologytest.Failures(topology.Skip, topology.Skip, ""), topologytest.OnError(func(err error) { failed = err }))
			d.Send(in, "k", "bad")
			if failed == nil {
				t.Errorf("a repartition write failed, and was passed over; dropped: %v", d.Dropped())
			}
		})
	}
}

// Two repartitioned streams meet in a join. Kafka Streams gives both repartition topics
// the greater count (CopartitionedTopicsEnforcer); a fixed count of one is taken over by
// the other. Here it is an error, which says to repartition what is repartitioned.
func TestCopartitionedRepartitions(t *testing.T) {
	t.Parallel()
	for _, fixed := range []int32{0, 6} {
		left := topology.NewTopic("left", serde.String, serde.String)
		right := topology.NewTopic("right", serde.String, serde.String)
		b := topology.New()
		key := func(_, v string) string { return v }
		via := topology.NewRepartition("r", serde.String, serde.String)
		if fixed > 0 {
			via = via.Partitions(fixed)
		}
		rows := b.From(right).KeyBy(via, key).Table(store.KeyValue("rows", serde.String, serde.String))
		b.From(left).KeyBy(topology.NewRepartition("l", serde.String, serde.String), key).
			JoinTable(rows, func(_, v, row string) string { return v + row }).
			To(topology.NewTopic("out", serde.String, serde.String))
		top, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		l, err := layout.Resolve(top.Plan(), "app", map[string]int32{"left": 4, "right": 8})
		if err != nil {
			t.Errorf("fixed %d: %v", fixed, err)
			continue
		}
		want := int32(8)
		if fixed > 0 {
			want = fixed
		}
		for _, it := range l.Internal {
			if it.Kind == layout.Repartition && it.Partitions != want {
				t.Errorf("fixed %d: %s has %d partitions, want %d", fixed, it.Name, it.Partitions, want)
			}
		}
	}
}

// One topic, declared twice with equal types and different meaning: the second
// declaration is dropped without a word.
func TestSecondDeclarationIsNoticed(t *testing.T) {
	t.Parallel()
	b := topology.New()
	in := topology.NewTopic("in", serde.String, serde.String)
	b.From(in).ForEach(func(_, _ string) {})
	b.From(in.Latest()).ForEach(func(_, _ string) {})
	if _, err := b.Build(); err == nil {
		t.Error("one topic is to be read from its beginning and from its end, and that is no error")
	}
}

// The check is made before the defaults are filled in: a commit interval of 30 s with
// the default transaction timeout of 10 s is accepted, and no transaction that is open
// for longer than 10 s is ever committed.
func TestCommitIntervalAndDefaultTimeout(t *testing.T) {
	t.Parallel()
	c := streams.Config{Application: "a", Brokers: []string{"b:9092"}, CommitInterval: 30 * time.Second}
	if c.Validate() == nil {
		t.Error("a commit interval longer than the (default) transaction timeout is accepted")
	}
}
