package jsonschema

import (
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// An InvalidError says how a value breaks its schema. It does not hold the value, which
// may be secret or large.
type InvalidError struct {
	Places []Place
}

// A Place is where a value breaks its schema: a JSON pointer into it, and the keyword
// that does not hold.
type Place struct{ Pointer, Keyword, Message string }

// Error names the first places.
func (e *InvalidError) Error() string {
	var b strings.Builder
	for i, p := range e.Places {
		if i == 5 {
			b.WriteString("; and more")
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString("at " + p.Pointer + ": " + p.Message)
	}
	return b.String()
}

// places are the innermost errors: what is around them says only that they are there.
func places(out []Place, e *jsonschema.ValidationError) []Place {
	if len(e.Causes) == 0 {
		pointer := "/" + strings.Join(e.InstanceLocation, "/")
		keyword := strings.Join(e.ErrorKind.KeywordPath(), "/")
		out = append(out, Place{pointer, keyword, e.ErrorKind.LocalizedString(printer)})
	}
	for _, cause := range e.Causes {
		out = places(out, cause)
	}
	return out
}

var printer = message.NewPrinter(language.English)
