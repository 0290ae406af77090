package instance

import (
	"bytes"
	"math/rand/v2"
	"slices"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
)

// A simDisk is an engine that outlives its process. A crash takes the last writes with
// it, as one of the machine does. After every write it is compared with the changelogs.
type simDisk struct {
	engine.Engine
	w   *simWorld
	ops []diskOp
}

// A diskOp is a batch, or the end of a namespace.
type diskOp struct {
	batch engine.Batch
	drop  *engine.Namespace
}

func newSimDisk(w *simWorld) *simDisk { return &simDisk{Engine: memory.New(), w: w} }

// Write implements engine.Engine.
func (d *simDisk) Write(b *engine.Batch) error {
	op := diskOp{}
	for _, o := range b.Ops {
		o.Key, o.Value = bytes.Clone(o.Key), bytes.Clone(o.Value)
		op.batch.Ops = append(op.batch.Ops, o)
	}
	for ns, p := range b.Positions {
		op.batch.SetPosition(ns, p)
	}
	d.ops = append(d.ops, op)
	if err := d.Engine.Write(b); err != nil {
		return err
	}
	for ns, p := range b.Positions {
		d.w.checkStore(d.Engine, ns, p.Offset)
	}
	return nil
}

// Drop implements engine.Engine.
func (d *simDisk) Drop(ns engine.Namespace) error {
	d.ops = append(d.ops, diskOp{drop: &ns})
	return d.Engine.Drop(ns)
}

// Close implements engine.Engine.
func (d *simDisk) Close() error { return nil }

// crash forgets up to three of the last writes, or all.
func (d *simDisk) crash(r *rand.Rand) {
	lost := min(r.IntN(4), len(d.ops))
	if r.IntN(6) == 0 {
		lost = len(d.ops)
	}
	if lost == 0 {
		return
	}
	d.w.s.Log("        the last %d writes of %d to its disk are lost", lost, len(d.ops))
	d.ops = slices.Clip(d.ops[:len(d.ops)-lost])
	d.Engine = memory.New()
	for _, op := range d.ops {
		var err error
		if op.drop != nil {
			err = d.Engine.Drop(*op.drop)
		} else {
			err = d.Engine.Write(&op.batch)
		}
		if err != nil {
			panic(err)
		}
	}
}
