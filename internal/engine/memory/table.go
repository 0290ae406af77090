package memory

import (
	"slices"
	"sync"

	"github.com/tidwall/btree"

	"github.com/leatstream/leat/internal/engine"
)

// A table is one namespace.
//
// A batch changes the tree in place, under the lock. The other way, to change
// a copy and publish it, would let readers pass a writer, but the copying of
// every leaf met costs a batch 2.5 times the time and a kilobyte of garbage
// per entry (10 000 random writes to a million entries). So the tree is copied
// only if there is an iterator that must not see the change, by the tree
// itself, leaf by leaf.
type table struct {
	mu       sync.RWMutex
	entries  *btree.BTreeG[entry]
	shared   *btree.BTreeG[entry] // what iterators see; nil since the last write
	position engine.Position
	placed   bool // position is set
}

func newTable() *table { return &table{entries: newEntries()} }

func newEntries() *btree.BTreeG[entry] {
	return btree.NewBTreeGOptions(entry.less, btree.Options{NoLocks: true})
}

func (t *table) get(key []byte) (entry, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.entries.Get(probe(key))
}

// manyOps is how many changes are worth being sorted: the next one then is where the
// CPU's caches have something of the tree.
const manyOps = 256

// change needs t.mu.
func (t *table) change(ops []engine.Op) {
	t.shared = nil
	below := func(op engine.Op) bool { return op.Kind == engine.DeleteBelow }
	if len(ops) < manyOps || slices.ContainsFunc(ops, below) {
		for i := range ops {
			t.apply(&ops[i])
		}
		return
	}
	for i := range engine.InOrder(ops) {
		t.apply(&ops[i])
	}
}

func (t *table) apply(op *engine.Op) {
	switch op.Kind {
	case engine.Delete:
		t.entries.Delete(probe(op.Key))
	case engine.DeleteBelow:
		t.deleteBelow(op.Key)
	default:
		t.entries.Load(newEntry(op.Key, op.Value))
	}
}

func (t *table) deleteBelow(end []byte) {
	for {
		least, ok := t.entries.Min()
		if !ok || !least.less(probe(end)) {
			return
		}
		t.entries.PopMin()
	}
}

// place needs t.mu.
func (t *table) place(p engine.Position) { t.position, t.placed = p, true }

func (t *table) at() (engine.Position, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.position, t.placed
}

// snapshot returns the entries as they are now. The iterators made between two
// writes share one.
func (t *table) snapshot() *btree.BTreeG[entry] {
	t.mu.RLock()
	shared := t.shared
	t.mu.RUnlock()
	if shared != nil {
		return shared
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shared == nil {
		t.shared = t.entries.Copy()
	}
	return t.shared
}

func (t *table) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries, t.shared = newEntries(), nil
	t.position, t.placed = engine.Position{}, false
}
