package task

import (
	"errors"
	"fmt"
	"strings"
)

// An Error says where processing failed. Unwrap gives the cause.
type Error struct {
	Task      string // "0_3": sub-topology and partition
	Node      string
	Topic     string // of the record in hand; empty for a timer
	Partition int32
	Offset    int64
	Stack     []byte // of a panic in user code
	Err       error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Place(), e.Err) }

// Place is where it was, without the cause.
func (e *Error) Place() string {
	var b strings.Builder
	fmt.Fprintf(&b, "task %s", e.Task)
	if e.Node != "" {
		fmt.Fprintf(&b, ", node %q", e.Node)
	}
	if e.Topic != "" {
		fmt.Fprintf(&b, ", record %s[%d]@%d", e.Topic, e.Partition, e.Offset)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// ErrPanic is wrapped by the error of user code that panicked.
var ErrPanic = errors.New("panic")

// ErrDecode is wrapped by the error of a record that its serde cannot decode.
var ErrDecode = errors.New("record cannot be decoded")

// ErrTimestamp is wrapped by the error of a record without a valid timestamp.
var ErrTimestamp = errors.New("record has a negative timestamp: its producer is older than Kafka 0.10 or set it so")

// ErrTooLarge is wrapped by the error of an output record that is larger than a
// record may be.
var ErrTooLarge = errors.New("record too large")
