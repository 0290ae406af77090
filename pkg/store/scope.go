package store

import "github.com/leatstream/leat/internal/state"

// A Scope is where a store can be opened: a processor's context or a test
// driver. Only leat implements it.
type Scope interface {
	// OpenStore returns the bytes of the store called name. It panics if the
	// scope has no right to that store: a processor must declare what it uses.
	OpenStore(name string) *state.Store
	// Now is the timestamp, in ms, that a write gets which names none.
	Now() int64
	// Late counts a write that came too late to be kept.
	Late()
}

// A Descriptor describes a store of any kind. Only this package implements it.
type Descriptor interface {
	Name() string
	Spec() Spec
}

// A Spec is what the runtime needs to know of a store.
type Spec struct {
	Name    string
	Logged  bool              // backed by a changelog topic
	Configs map[string]string // of the changelog topic, beyond the defaults
	Layout  state.Layout      // nil: an entry is what the changelog has
}
