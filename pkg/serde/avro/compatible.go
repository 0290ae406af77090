package avro

import (
	"fmt"
	"strings"
)

// A Difference is something that keeps a reader from reading what a writer wrote.
type Difference struct {
	// Path is where, from the outermost type, by the writer's names: "lines[].price".
	// It is "" for that type itself.
	Path string
	// Reason says what is different.
	Reason string
	// Partial is true if only some values cannot be read: those of a branch of a union
	// or of a symbol of an enum that the reader does not have.
	Partial bool
}

// String is the difference in one line.
func (d Difference) String() string {
	s := d.Reason
	if d.Path != "" {
		s = d.Path + ": " + s
	}
	if d.Partial {
		s += " (some values only)"
	}
	return s
}

// Compatible returns what prevents a reader with schema reader from reading everything
// that is written with schema writer; nothing, if nothing does.
func Compatible(writer, reader *Schema) []Difference {
	_, differences := resolve(writer.root, reader.root)
	return differences
}

// An IncompatibleError says why nothing that was written with one schema can be read
// with another.
type IncompatibleError struct {
	Writer, Reader string // the names of the schemas
	Differences    []Difference
}

// Error names every difference.
func (e *IncompatibleError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "avro: what was written as %s cannot be read as %s", e.Writer, e.Reader)
	for i, d := range e.Differences {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		b.WriteString(sep + d.String())
	}
	return b.String()
}

// plan resolves the two, and fails if no value at all can be read.
func plan(writer, reader *Schema) (*step, error) {
	s, differences := resolve(writer.root, reader.root)
	for _, d := range differences {
		if !d.Partial {
			return nil, &IncompatibleError{Writer: writer.Name(), Reader: reader.Name(), Differences: differences}
		}
	}
	return s, nil
}

func joined(path []string) string {
	var b strings.Builder
	for _, p := range path {
		if b.Len() > 0 && p != "[]" {
			b.WriteByte('.')
		}
		b.WriteString(p)
	}
	return b.String()
}
