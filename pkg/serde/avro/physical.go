package avro

import (
	"fmt"
	"strconv"

	"github.com/linkedin/goavro/v2"
)

// A physical schema is what goavro is given in place of one: it has the same bytes, and
// nothing that goavro does in a way of its own. Logical types, defaults and aliases are
// gone, types are numbered instead of named, and a map is a record of one field, an
// array of entries, so that we say their order; goavro would write them in any.
type physical struct {
	codec  *goavro.Codec
	labels map[*node]string // of named types and maps
	text   []byte
}

const entriesField, keyField, valueField = "entries", "key", "value"

func newPhysical(n *node) (*physical, error) {
	p := &physical{labels: map[*node]string{}}
	p.write(n)
	var err error
	if p.codec, err = goavro.NewCodec(string(p.text)); err != nil {
		return nil, fmt.Errorf("goavro does not take the schema: %w", err)
	}
	return p, nil
}

// label is the name that goavro has for a branch of a union.
func (p *physical) label(n *node) string {
	if l, ok := p.labels[n]; ok {
		return l
	}
	return n.kind.String()
}

func (p *physical) add(text ...string) {
	for _, t := range text {
		p.text = append(p.text, t...)
	}
}

func (p *physical) write(n *node) {
	if l, ok := p.labels[n]; ok {
		p.add(`"`, l, `"`)
		return
	}
	if n.kind.named() || n.kind == kindMap {
		l := "t" + strconv.Itoa(len(p.labels))
		p.labels[n] = l
		p.add(`{"name":"`, l, `",`)
	}
	switch n.kind {
	case kindFixed:
		if n.size == 0 {
			p.add(`"type":"record","fields":[]}`) // goavro wants a fixed to have a size
			return
		}
		p.add(`"type":"fixed","size":`, strconv.Itoa(n.size), `}`)
	case kindEnum:
		p.add(`"type":"enum","symbols":[`)
		for i, s := range n.symbols {
			p.comma(i)
			p.add(`"`, s, `"`)
		}
		if len(n.symbols) == 0 {
			p.add(`"none"`) // which goavro wants, and no value has
		}
		p.add(`]}`)
	case kindRecord:
		p.add(`"type":"record","fields":[`)
		for i, f := range n.fields {
			p.comma(i)
			p.add(`{"name":"`, f.name, `","type":`)
			p.write(f.node)
			p.add(`}`)
		}
		p.add(`]}`)
	case kindMap:
		p.add(`"type":"record","fields":[{"name":"`, entriesField, `","type":{"type":"array","items":{"type":"record","name":"`,
			p.labels[n], `_entry","fields":[{"name":"`, keyField, `","type":"string"},{"name":"`, valueField, `","type":`)
		p.write(n.item)
		p.add(`}]}}}]}`)
	case kindArray:
		p.add(`{"type":"array","items":`)
		p.write(n.item)
		p.add(`}`)
	case kindUnion:
		p.add(`[`)
		for i, b := range n.branches {
			p.comma(i)
			p.write(b)
		}
		p.add(`]`)
	default:
		p.add(`"`, n.kind.String(), `"`)
	}
}

func (p *physical) comma(i int) {
	if i > 0 {
		p.add(`,`)
	}
}
