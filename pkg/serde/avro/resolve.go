package avro

import (
	"fmt"
	"slices"
)

// A step is what a reader does with one type of the writer's schema. The steps of two
// schemas are found once and then carried out for every value: by the compiled plan on
// bytes, by the generic codec on what goavro makes of them.
type step struct {
	kind stepKind
	w, r *node

	item     *step       // of an array or a map
	fields   []taken     // of a record, as the writer has them
	absent   []int       // fields of the reader's record that the writer's lacks
	renamed  bool        // fields of the writer's record are skipped or have other names
	branches []*step     // of the writer's union
	branch   int         // of the reader's union
	inner    *step       // to read that branch
	symbols  []int       // the reader's of each of the writer's, or -1
	why      *Difference // of a mismatch
}

// A taken field is one of the writer's; place is the reader's, or -1 to skip it.
type taken struct {
	place int
	step  *step
}

type stepKind int8

const (
	readSame    stepKind = iota // a type without parts, as it is
	readPromote                 // a number as a wider one, a string as bytes, bytes as a string
	readEnum
	readItems
	readRecord
	readBranches // the writer has a union
	readAsBranch // only the reader has
	readNothing  // a mismatch: whoever meets such a value has an error
)

// A resolver finds the steps of a pair of schemas and what stands against it.
type resolver struct {
	seen        map[pair]*step // of records, which may be recursive
	path        []string
	partial     int // how many unions of the writer's we are in
	differences []Difference
}

type pair struct {
	w, r    *node
	partial bool // a difference counts for less in a union, so it is looked for anew
}

// resolve follows "Schema Resolution" in the Avro specification.
func resolve(w, r *node) (*step, []Difference) {
	v := &resolver{seen: map[pair]*step{}}
	return v.resolve(w, r), v.differences
}

func (v *resolver) resolve(w, r *node) *step {
	switch {
	case w.kind == kindUnion:
		return v.writerUnion(w, r)
	case r.kind == kindUnion:
		i, ok := match(w, r)
		if !ok {
			return v.mismatch(w, r, "the reader's %s has no branch for it", r.describe())
		}
		return &step{kind: readAsBranch, w: w, r: r, branch: i, inner: v.resolve(w, r.branches[i])}
	case w.kind != r.kind:
		if !promotes(w.kind, r.kind) {
			return v.mismatch(w, r, "the reader has %s", r.describe())
		}
		if why := clash(w, r); why != "" {
			return v.mismatch(w, r, "%s", why)
		}
		return &step{kind: readPromote, w: w, r: r}
	case w.kind.named() && !sameName(w, r):
		return v.mismatch(w, r, "the reader has %s, and no alias %s", r.describe(), w.name)
	}
	switch w.kind {
	case kindArray, kindMap:
		s := &step{kind: readItems, w: w, r: r}
		v.in("[]", func() { s.item = v.resolve(w.item, r.item) })
		return s
	case kindEnum:
		return v.enum(w, r)
	case kindRecord:
		return v.record(w, r)
	case kindFixed:
		if w.size != r.size {
			return v.mismatch(w, r, "has %d bytes, the reader wants %d", w.size, r.size)
		}
	}
	if why := clash(w, r); why != "" {
		return v.mismatch(w, r, "%s", why)
	}
	return &step{kind: readSame, w: w, r: r}
}

// sameName: the specification compares the names without their namespaces, and a
// reader's aliases with them.
func sameName(w, r *node) bool {
	return unqualified(w.name) == unqualified(r.name) || slices.Contains(r.aliases, w.name)
}

// promotes says whether the reader may have type r where the writer has w.
func promotes(w, r kind) bool {
	switch w {
	case kindInt:
		return r == kindLong || r == kindFloat || r == kindDouble
	case kindLong:
		return r == kindFloat || r == kindDouble
	case kindFloat:
		return r == kindDouble
	case kindString:
		return r == kindBytes
	case kindBytes:
		return r == kindString
	}
	return false
}

// match finds the branch of the reader's union r that w is read as. It is the first
// that matches, but as in Java one of the same type and full name comes before one of
// the same type, and that before one to which w is promoted.
func match(w, r *node) (int, bool) {
	for _, fits := range []func(b *node) bool{
		func(b *node) bool {
			return b.kind == w.kind && (b.name == w.name || slices.Contains(b.aliases, w.name))
		},
		func(b *node) bool { return b.kind == w.kind && sameName(w, b) && b.size == w.size },
		func(b *node) bool { return promotes(w.kind, b.kind) },
	} {
		if i := slices.IndexFunc(r.branches, fits); i >= 0 {
			return i, true
		}
	}
	return 0, false
}

func (v *resolver) writerUnion(w, r *node) *step {
	s := &step{kind: readBranches, w: w, r: r}
	for _, b := range w.branches {
		v.partial++
		s.branches = append(s.branches, v.resolve(b, r))
		v.partial--
	}
	return s
}

func (v *resolver) enum(w, r *node) *step {
	s := &step{kind: readEnum, w: w, r: r}
	for _, symbol := range w.symbols {
		i, ok := r.index[symbol]
		if !ok {
			i = r.fallback
		}
		if i < 0 {
			v.partial++
			v.mismatch(w, r, "the reader has no symbol %s, and no default", symbol)
			v.partial--
		}
		s.symbols = append(s.symbols, i)
	}
	return s
}

func (v *resolver) record(w, r *node) *step {
	key := pair{w, r, v.partial > 0}
	if s := v.seen[key]; s != nil {
		return s
	}
	s := &step{kind: readRecord, w: w, r: r}
	v.seen[key] = s
	from := writerFields(w, r)
	for i, f := range w.fields {
		t := taken{place: slices.Index(from, i)}
		if t.place >= 0 {
			v.in(f.name, func() { t.step = v.resolve(f.node, r.fields[t.place].node) })
		}
		s.renamed = s.renamed || t.place < 0 || r.fields[t.place].name != f.name
		s.fields = append(s.fields, t)
	}
	for i, f := range r.fields {
		if from[i] >= 0 {
			continue
		}
		s.absent = append(s.absent, i)
		if f.preset == nil {
			s.kind = readNothing
			v.in(f.name, func() { s.why = v.differ("%s", lacks(f)) })
		}
	}
	return s
}

func lacks(f *field) string {
	if f.bad != nil {
		return "the writer has no such field, and the reader's default is none: " + f.bad.Error()
	}
	return "the writer has no such field, and the reader has no default"
}

// writerFields returns for each of the reader's fields the place of the writer's, or
// -1: the one of the same name, else one that an alias names and no other field is.
func writerFields(w, r *node) []int {
	from := make([]int, len(r.fields))
	for i, f := range r.fields {
		from[i] = slices.IndexFunc(w.fields, func(g *field) bool { return g.name == f.name })
	}
	for i, f := range r.fields {
		for _, alias := range f.aliases {
			j := slices.IndexFunc(w.fields, func(g *field) bool { return g.name == alias })
			if from[i] < 0 && j >= 0 && !slices.Contains(from, j) {
				from[i] = j
			}
		}
	}
	return from
}

func (v *resolver) in(name string, do func()) {
	v.path = append(v.path, name)
	do()
	v.path = v.path[:len(v.path)-1]
}

func (v *resolver) differ(format string, args ...any) *Difference {
	d := Difference{Path: joined(v.path), Reason: fmt.Sprintf(format, args...), Partial: v.partial > 0}
	v.differences = append(v.differences, d)
	return &d
}

func (v *resolver) mismatch(w, r *node, format string, args ...any) *step {
	return &step{kind: readNothing, w: w, r: r, why: v.differ(w.describe()+": "+format, args...)}
}
