package avro

import (
	"fmt"
	"reflect"
)

// Generic returns a codec of values whose types are known only at run time. They are
//
//	null          nil                        decimal                  *big.Rat
//	boolean       bool                       date, timestamps         time.Time in UTC
//	int, long     int32, int64               times of day             time.Duration
//	float, double float32, float64           uuid                     uuid.UUID
//	bytes, fixed  []byte                     duration                 Duration
//	string, enum  string                     union of null and another: nil or the other
//	array         []any                      any other union: nil or Branch
//	map, record   map[string]any
//
// Append takes int for int and long too. A record's member that is missing is written as
// its field's default; one that has no field is a mistake.
//
// It is goavro that turns bytes into values. That takes several times as long as a codec
// made by Of takes; bench has the figures.
func Generic(text string, known ...string) *Codec[any] {
	return newCodec(text, known, func(s *Schema) (engine[any], error) { return newGeneric(s) })
}

// A Branch is the value of a union of several types, without null.
type Branch struct {
	Name  string // of the type, with its namespace
	Value any
}

// generic is the engine of Generic. Its presets are read anew each time, since whoever
// gets one may change it.
type generic struct {
	root    *node
	presets map[*field]func() (any, error)
}

func newGeneric(s *Schema) (*generic, error) {
	g := &generic{root: s.root, presets: map[*field]func() (any, error){}}
	var err error
	walk(s.root, map[*node]bool{}, func(n *node) {
		for _, f := range n.fields {
			if f.preset == nil {
				continue
			}
			same, _ := resolve(f.node, f.node)
			read, bad := g.reader(same)
			if bad != nil {
				err = bad
			}
			g.presets[f] = func() (any, error) { return read(f.preset) }
		}
	})
	return g, err
}

func (g *generic) append(dst []byte, v any) ([]byte, error) {
	e := encoder{buf: dst}
	err := e.anyValue(g.root, v)
	return e.buf, err
}

// reader shields goavro: what it is given has been read from end to end by a skipFn
// first, so that it is complete, not nested too deep, and has no more items than bytes.
// goavro would make room for 2^31 items because five bytes say so, and fill the stack.
func (g *generic) reader(s *step) (func(src []byte) (any, error), error) {
	p, err := newPhysical(s.w)
	if err != nil {
		return nil, err
	}
	check := skipper{}.of(s.w)
	r := nativeReader{physical: p, presets: g.presets}
	return func(src []byte) (any, error) {
		c := cursor{buf: src}
		if err := check(&c); err != nil {
			return nil, err
		}
		if err := c.end(); err != nil {
			return nil, err
		}
		native, _, err := p.codec.NativeFromBinary(src)
		if err != nil {
			return nil, err
		}
		return r.value(s, native)
	}, nil
}

func errType(v any, n *node) error {
	return fmt.Errorf("%s cannot be %s", typeName(v), n.describe())
}

func typeName(v any) string {
	if v == nil {
		return "nil"
	}
	return "Go's " + reflect.TypeOf(v).String()
}
