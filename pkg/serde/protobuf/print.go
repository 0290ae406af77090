package protobuf

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// print writes a file as its language has it. Two files that mean the same have the same
// text: names are full, and what is not wire format or generated names is left out.
func print(f protoreflect.FileDescriptor) []byte {
	var p printer
	switch f.Syntax() {
	case protoreflect.Editions:
		p.line("edition = %q;", strings.TrimPrefix(protodesc.ToFileDescriptorProto(f).GetEdition().String(), "EDITION_"))
	default:
		p.line("syntax = %q;", f.Syntax().String())
	}
	if f.Package() != "" {
		p.line("package %s;", f.Package())
	}
	for imp := range all(f.Imports()) {
		public := ""
		if imp.IsPublic {
			public = "public "
		}
		p.line("import %s%q;", public, imp.Path())
	}
	p.options(f.Options())
	p.enums(f.Enums())
	p.messages(f.Messages())
	p.extensions(f.Extensions())
	return p.Bytes()
}

type printer struct {
	bytes.Buffer
	depth int
}

func (p *printer) line(format string, args ...any) {
	p.WriteString(strings.Repeat("  ", p.depth))
	fmt.Fprintf(p, format, args...)
	p.WriteByte('\n')
}

func (p *printer) block(head string, body func()) {
	p.line("%s {", head)
	p.depth++
	body()
	p.depth--
	p.line("}")
}

func (p *printer) messages(ms protoreflect.MessageDescriptors) {
	for m := range declared(ms) {
		p.block("message "+string(m.Name()), func() { p.message(m) })
	}
}

func (p *printer) message(m protoreflect.MessageDescriptor) {
	p.options(m.Options())
	p.enums(m.Enums())
	p.messages(m.Messages())
	for f := range all(m.Fields()) {
		switch one := f.ContainingOneof(); {
		case one == nil || one.IsSynthetic():
			p.field(f)
		case one.Fields().Get(0) == f:
			p.block("oneof "+string(one.Name()), func() {
				p.options(one.Options())
				for f := range all(one.Fields()) {
					p.field(f)
				}
			})
		}
	}
	for i := range m.ExtensionRanges().Len() {
		r := m.ExtensionRanges().Get(i)
		p.line("extensions %s;", span(int64(r[0]), int64(r[1])-1))
	}
	for i := range m.ReservedRanges().Len() {
		r := m.ReservedRanges().Get(i)
		p.line("reserved %s;", span(int64(r[0]), int64(r[1])-1))
	}
	p.reservedNames(m.ParentFile(), m.ReservedNames())
	p.extensions(m.Extensions())
}

func (p *printer) reservedNames(f protoreflect.FileDescriptor, names protoreflect.Names) {
	for i := range names.Len() {
		if f.Syntax() == protoreflect.Editions {
			p.line("reserved %s;", names.Get(i))
		} else {
			p.line("reserved %q;", names.Get(i))
		}
	}
}

func span(lo, hi int64) string {
	switch {
	case lo == hi:
		return strconv.FormatInt(lo, 10)
	case hi == math.MaxInt32 || hi == int64(maxNumber):
		return fmt.Sprintf("%d to max", lo)
	}
	return fmt.Sprintf("%d to %d", lo, hi)
}

const maxNumber = 1<<29 - 1 // of a field

func (p *printer) field(f protoreflect.FieldDescriptor) {
	p.line("%s%s %s = %d%s;", label(f), typeOf(f), f.Name(), f.Number(), p.fieldOptions(f))
}

func label(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return ""
	case f.IsList():
		return "repeated "
	case f.ParentFile().Syntax() == protoreflect.Editions:
		return ""
	case f.Cardinality() == protoreflect.Required:
		return "required "
	case f.HasOptionalKeyword(), f.ParentFile().Syntax() == protoreflect.Proto2 && f.ContainingOneof() == nil:
		return "optional "
	}
	return ""
}

func typeOf(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return fmt.Sprintf("map<%s, %s>", typeOf(f.MapKey()), typeOf(f.MapValue()))
	case f.Message() != nil:
		return "." + string(f.Message().FullName())
	case f.Enum() != nil:
		return "." + string(f.Enum().FullName())
	}
	return f.Kind().String()
}

func (p *printer) fieldOptions(f protoreflect.FieldDescriptor) string {
	var out []string
	if f.HasDefault() {
		out = append(out, "default = "+defaultOf(f))
	}
	if f.JSONName() != jsonName(string(f.Name())) && !f.IsExtension() {
		out = append(out, fmt.Sprintf("json_name = %q", f.JSONName()))
	}
	if out = append(out, optionsOf(f.Options())...); len(out) == 0 {
		return ""
	}
	return " [" + strings.Join(out, ", ") + "]"
}

func defaultOf(f protoreflect.FieldDescriptor) string {
	switch f.Kind() {
	case protoreflect.EnumKind:
		return string(f.DefaultEnumValue().Name())
	case protoreflect.BytesKind:
		return quote(string(f.Default().Bytes()))
	case protoreflect.StringKind:
		return quote(f.Default().String())
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		switch v := f.Default().Float(); {
		case math.IsInf(v, 1):
			return "inf"
		case math.IsInf(v, -1):
			return "-inf"
		case math.IsNaN(v):
			return "nan"
		}
	}
	return f.Default().String()
}

// quote writes a string with the escapes that both languages have.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\%03o`, c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// jsonName is the name that a field has in JSON unless it is given another.
func jsonName(name string) string {
	var b []byte
	up := false
	for i := range len(name) {
		switch c := name[i]; {
		case c == '_':
			up = true
			continue
		case up && 'a' <= c && c <= 'z':
			b = append(b, c-'a'+'A')
		default:
			b = append(b, c)
		}
		up = false
	}
	return string(b)
}

func (p *printer) enums(es protoreflect.EnumDescriptors) {
	for e := range all(es) {
		p.block("enum "+string(e.Name()), func() {
			p.options(e.Options())
			for v := range all(e.Values()) {
				options := ""
				if set := optionsOf(v.Options()); len(set) > 0 {
					options = " [" + strings.Join(set, ", ") + "]"
				}
				p.line("%s = %d%s;", v.Name(), v.Number(), options)
			}
			for i := range e.ReservedRanges().Len() {
				r := e.ReservedRanges().Get(i)
				p.line("reserved %s;", span(int64(r[0]), int64(r[1])))
			}
			p.reservedNames(e.ParentFile(), e.ReservedNames())
		})
	}
}

func (p *printer) extensions(xs protoreflect.ExtensionDescriptors) {
	for x := range all(xs) {
		p.block("extend ."+string(x.ContainingMessage().FullName()), func() { p.field(x) })
	}
}

func (p *printer) options(o protoreflect.ProtoMessage) {
	for _, set := range optionsOf(o) {
		p.line("option %s;", set)
	}
}

// optionsOf are the options that the language itself has, as assignments.
func optionsOf(o protoreflect.ProtoMessage) (out []string) {
	if o == nil || !o.ProtoReflect().IsValid() {
		return nil
	}
	assignments("", o.ProtoReflect(), &out)
	slices.Sort(out)
	return out
}

func assignments(prefix string, m protoreflect.Message, out *[]string) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		name := prefix + string(f.Name())
		switch {
		case f.IsExtension() || f.IsList() || f.Name() == "ctype":
		case f.Message() != nil:
			assignments(name+".", v.Message(), out)
		case f.Kind() == protoreflect.StringKind:
			*out = append(*out, name+" = "+quote(v.String()))
		case f.Enum() != nil:
			if value := f.Enum().Values().ByNumber(v.Enum()); value != nil {
				*out = append(*out, name+" = "+string(value.Name()))
			}
		default:
			*out = append(*out, name+" = "+v.String())
		}
		return true
	})
}
