package state

import (
	"fmt"

	"github.com/leatstream/leat/internal/engine"
)

// An Error is a failure of a store's engine. It is never a record's fault.
type Error struct {
	Namespace engine.Namespace
	Op        string
	Err       error
}

func (e *Error) Error() string {
	return fmt.Sprintf("store %s[%d]: %s: %v", e.Namespace.Store, e.Namespace.Partition, e.Op, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }
