package registry

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// careful is a text of which it is not known whether it reads all that is written with
// another schema. It cannot read "bad".
type careful struct {
	text
	decoded *atomic.Int64
}

func (f careful) Reader(w serde.Schema) (func([]byte) (string, error), error) {
	read, err := f.text.Reader(w)
	return func(src []byte) (string, error) {
		if f.decoded.Add(1); string(src) == "bad" {
			return "", errors.New("it is bad")
		}
		return read(src)
	}, err
}

// asking is an engine that knows how often the registry had been asked when it was made
// and when it was last written to.
type asking struct {
	engine.Engine
	r           *rig
	made, wrote int64
}

func (e *asking) Write(b *engine.Batch) error {
	e.wrote = e.r.requests.Load()
	return e.Engine.Write(b)
}

// A restore does not wait for the registry, although it meets a schema of which it is not
// known what can be read. The start asks, once, and has what is in doubt decoded: a store
// that can be read is not refused, one that cannot is, and the next start believes it.
func TestRestoreAsksNobody(t *testing.T) {
	t.Parallel()
	for _, bad := range []bool{false, true} {
		r := setup(t)
		decoded := &atomic.Int64{}
		in := topology.NewTopic("in", serde.String, serde.String)
		build := func(f serde.Schematic[string]) *topology.Builder {
			b := topology.New()
			b.From(in).Table(store.KeyValue("rows", serde.String, r.another().Serde(f, Options{Register: Always})))
			return b
		}
		var eng *asking
		open := func(string) (store.Engine, error) {
			eng = &asking{Engine: memory.New(), r: r, made: r.requests.Load()}
			return eng, nil
		}
		var failed error
		d := topologytest.New(t, build(text{field: "a"}), topologytest.Engine(open), topologytest.OnError(func(err error) { failed = err }))
		for i := range 5 {
			d.Send(in, fmt.Sprint(i), map[bool]string{false: "good", true: "bad"}[bad && i == 3])
		}
		next := careful{text{field: "b", preset: "x"}, decoded}
		d.Upgrade(build(next), topologytest.LoseState)
		if eng.made != eng.wrote {
			t.Errorf("a restore has asked the registry %d times", eng.wrote-eng.made)
		}
		if r.requests.Load() != eng.wrote+1 {
			t.Errorf("the start has asked %d times", r.requests.Load()-eng.wrote)
		}
		if bad {
			if !errors.Is(failed, serde.ErrUnreadable) || !strings.Contains(failed.Error(), `node "store rows": value: `) || !strings.Contains(failed.Error(), "it is bad") {
				t.Errorf("%v", failed)
			}
			continue
		}
		if failed != nil || decoded.Load() != 5 {
			t.Errorf("decoded %d: %v", decoded.Load(), failed)
		}
		if d.Restart(topologytest.KeepState); failed != nil || decoded.Load() != 5 {
			t.Errorf("started again, decoded %d: %v", decoded.Load(), failed)
		}
	}
}

// Values whose schema is named in a header are restored from a source topic as they were
// processed. A global table, which keeps no headers, is refused, whatever the policy says:
// it would pass over all of them.
func TestHeadersOfTables(t *testing.T) {
	t.Parallel()
	r := setup(t)
	values := r.client.Serde(text{field: "a"}, Options{Register: Always, Form: Header})
	in, rows := topology.NewTopic("in", serde.String, values), store.KeyValue("rows", serde.String, values)
	b := topology.New()
	b.Table(in, rows, topology.SourceAsChangelog())
	d := topologytest.New(t, b)
	d.Send(in, "k", "x")
	d.Restart(topologytest.LoseState)
	if v, ok, err := rows.Open(d).Get("k"); v != "x" || !ok || err != nil {
		t.Errorf("%q, %v, %v", v, ok, err)
	}

	var failed error
	b = topology.New()
	b.GlobalTable(in, rows)
	b.From(topology.NewTopic("other", serde.String, serde.String)).To(topology.NewTopic("out", serde.String, serde.String))
	d = topologytest.New(t, b, topologytest.Failures(topology.Skip, topology.Skip, ""), topologytest.OnError(func(err error) { failed = err }))
	if d.Send(in, "k", "x"); failed == nil || !strings.Contains(failed.Error(), "record in[0]@0: ") || !strings.Contains(failed.Error(), "which a global table does not keep") {
		t.Errorf("%v", failed)
	}
}
