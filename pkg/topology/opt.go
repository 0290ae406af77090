package topology

// An Opt is a value that may be missing. The zero value is a missing one.
type Opt[T any] struct {
	v  T
	ok bool
}

// Some returns an Opt that holds v.
func Some[T any](v T) Opt[T] { return Opt[T]{v, true} }

// None returns an Opt that holds nothing.
func None[T any]() Opt[T] { return Opt[T]{} }

// Get returns the value and whether there is one.
func (o Opt[T]) Get() (v T, ok bool) { return o.v, o.ok }

// Or returns the value, or other if there is none.
func (o Opt[T]) Or(other T) T {
	if o.ok {
		return o.v
	}
	return other
}
