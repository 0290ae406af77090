package jsonschema

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// An InvalidError says how a value breaks its schema. It names members, types and
// lengths, and what the schema wants. It does not hold the values of members, which may be
// secret or large.
type InvalidError struct {
	Places []Place // in their order
}

// A Place is where a value breaks its schema: a JSON pointer into it, and the keyword
// that does not hold. There is no keyword for a number that is too long, and for names
// that are not allowed the pointer is to the whole value.
type Place struct{ Pointer, Keyword, Message string }

const (
	maxNamed   = 5   // places, or members, in one message
	maxPointer = 200 // bytes of one in it
	maxName    = 50  // of a member's name
)

// Error names the first places.
func (e *InvalidError) Error() string {
	var b strings.Builder
	for i, p := range e.Places {
		if i == maxNamed {
			b.WriteString("; and more")
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString("at " + clip(p.Pointer, maxPointer) + ": " + p.Message)
	}
	return b.String()
}

// invalidError is e in our words, and in one order: the validator goes through an object
// in any.
func invalidError(e *jsonschema.ValidationError) *InvalidError {
	found := innermost(nil, e)
	slices.SortFunc(found, func(a, b Place) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Keyword, b.Keyword), cmp.Compare(a.Message, b.Message))
	})
	return &InvalidError{Places: found}
}

// innermost are the errors without causes: what is around them says only that they are
// there.
func innermost(out []Place, e *jsonschema.ValidationError) []Place {
	keyword := strings.Join(e.ErrorKind.KeywordPath(), "/")
	if k, ok := e.ErrorKind.(*kind.PropertyNames); ok { // whose causes quote the name
		return append(out, Place{"/", keyword, "no member may be called " + quoted(k.Property)})
	}
	if len(e.Causes) == 0 {
		var pointer strings.Builder
		for _, name := range e.InstanceLocation {
			pointer.WriteString("/" + escape(name))
		}
		out = append(out, Place{cmp.Or(pointer.String(), "/"), keyword, describe(e.ErrorKind)})
	}
	for _, cause := range e.Causes {
		out = innermost(out, cause)
	}
	return out
}

// describe is the validator's message, but for those that quote the value, or list more
// than anybody wants to read.
func describe(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Pattern:
		return fmt.Sprintf("does not match the pattern %q", k.Want)
	case *kind.Format:
		return "is not a valid " + k.Want
	case *kind.Minimum:
		return "is less than the minimum, " + decimal(k.Want)
	case *kind.Maximum:
		return "is greater than the maximum, " + decimal(k.Want)
	case *kind.ExclusiveMinimum:
		return "is not greater than " + decimal(k.Want)
	case *kind.ExclusiveMaximum:
		return "is not less than " + decimal(k.Want)
	case *kind.MultipleOf:
		return "is not a multiple of " + decimal(k.Want)
	case *kind.MinContains:
		return fmt.Sprintf("%d items match what it must contain, want at least %d", len(k.Got), k.Want)
	case *kind.MaxContains:
		return fmt.Sprintf("%d items match what it may contain, want at most %d", len(k.Got), k.Want)
	case *kind.AdditionalProperties:
		return "additional properties are not allowed: " + list(k.Properties)
	}
	return k.LocalizedString(printer)
}

var printer = message.NewPrinter(language.English)

func decimal(r *big.Rat) string {
	f, _ := r.Float64()
	return fmt.Sprint(f)
}

func list(names []string) string {
	names = slices.Sorted(slices.Values(names))
	var b strings.Builder
	for i, name := range names {
		if i == maxNamed {
			fmt.Fprintf(&b, " and %d more", len(names)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quoted(name))
	}
	return b.String()
}

func quoted(name string) string { return fmt.Sprintf("%q", clip(name, maxName)) }

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// escape makes a part of a JSON pointer of a name.
func escape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}
