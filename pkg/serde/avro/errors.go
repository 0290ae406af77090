package avro

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/leatstream/leat/pkg/serde"
)

// ErrUnknownSchema is wrapped by the error of a single object whose fingerprint is that
// of no schema the serde was given.
var ErrUnknownSchema = errors.New("the fingerprint is that of no known schema")

// A FieldError says where in a value something is wrong.
type FieldError struct {
	Schema string // the name of the schema
	Path   string // from the outermost value: "lines[3].price"; "" is that value itself
	Err    error
}

// Error names the schema and the path.
func (e *FieldError) Error() string {
	if e.Path == "" {
		return e.Schema + ": " + e.Err.Error()
	}
	return e.Schema + ": " + e.Path + ": " + e.Err.Error()
}

// Unwrap returns what is wrong there.
func (e *FieldError) Unwrap() error { return e.Err }

// A trail is an error on its way out of nested values, with the steps back to it.
type trail struct {
	steps []string // the innermost first; an index is in brackets
	err   error
}

func (t *trail) Error() string { return t.path() + ": " + t.err.Error() }

func (t *trail) Unwrap() error { return t.err }

const maxSteps = 20 // of a path that is shown

func (t *trail) path() string {
	var b strings.Builder
	for i, s := range slices.Backward(t.steps) {
		if n := len(t.steps); n > maxSteps && i < n-maxSteps/2 && i >= maxSteps/2 {
			if i == maxSteps/2 {
				b.WriteString("...")
			}
			continue
		}
		if b.Len() > 0 && s[0] != '[' {
			b.WriteByte('.')
		}
		b.WriteString(s)
	}
	return b.String()
}

// within says that err happened in the field, or whatever step says.
func within(err error, step string) error {
	t, ok := err.(*trail)
	if !ok {
		t = &trail{err: err}
	}
	t.steps = append(t.steps, step)
	return t
}

func withinItem(err error, i int) error { return within(err, "["+strconv.Itoa(i)+"]") }

func withinKey(err error, key string) error {
	return within(err, "["+strconv.Quote(clip([]byte(key)))+"]")
}

// located turns a trail into a FieldError.
func located(schema string, err error) error {
	if t, ok := err.(*trail); ok {
		return &FieldError{Schema: schema, Path: t.path(), Err: t.err}
	}
	return &FieldError{Schema: schema, Err: err}
}

func decodeError(typ string, n *node, size int, err error) error {
	return &serde.DecodeError{Type: typ, Want: "Avro", Len: size, Err: located(n.label(), err)}
}

func encodeError(typ string, n *node, err error) error {
	return &serde.EncodeError{Type: typ, Err: located(n.label(), err)}
}

func errNumber(v any, typ string) error { return fmt.Errorf("%v does not fit into %s", v, typ) }
