package topology

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/pkg/store"
)

// checkShared finds stores that processors declare otherwise than their owners do, or, of a
// store that no operator owns, otherwise than each other.
func (b *Builder) checkShared() {
	var said []string
	for _, spec := range b.shared {
		may := named(b.owned, spec.Name)
		if may == nil {
			may = inOrderFirst(named(b.shared, spec.Name))[:1]
			b.specs[spec.Name] = may[0]
		}
		if !slices.ContainsFunc(may, func(kept store.Spec) bool { return agrees(kept, spec) }) && !slices.Contains(said, spec.Name) {
			b.fail("store %q is declared in two different ways: declare it once and use that declaration everywhere", spec.Name)
			said = append(said, spec.Name)
		}
	}
}

// named returns the declarations of one store.
func named(all []store.Spec, name string) (out []store.Spec) {
	for _, spec := range all {
		if spec.Name == name {
			out = append(out, spec)
		}
	}
	return out
}

// inOrderFirst puts the declarations first that have the entries in order: who does not ask
// for it can do with it.
func inOrderFirst(all []store.Spec) []store.Spec {
	slices.SortStableFunc(all, func(a, b store.Spec) int { return cmp.Compare(rank(a), rank(b)) })
	return all
}

func rank(s store.Spec) int {
	if l, ok := s.Layout.(state.Segments); ok && l.Ordered {
		return 0
	}
	return 1
}

// agrees reports whether a store that is kept can be used as named. Whoever writes to one
// that has its entries in order keeps that order, without having asked for it.
func agrees(kept, named store.Spec) bool {
	layout := named.Layout
	if l, ok := layout.(state.Segments); ok {
		have, _ := kept.Layout.(state.Segments)
		l.Ordered = l.Ordered || have.Ordered
		layout = l
	}
	return kept.Layout == layout && kept.Logged == named.Logged && maps.Equal(kept.Configs, named.Configs) && kept.Serdes.Agree(named.Serdes)
}

// kindOf says what of a store its readers rely on: of which kind it is, but not what it
// keeps, for how long, and in which order besides.
func kindOf(s store.Spec) string {
	if l, ok := s.Layout.(state.Segments); ok {
		return fmt.Sprintf("%T %d", l, l.At)
	}
	return fmt.Sprintf("%T", s.Layout)
}
