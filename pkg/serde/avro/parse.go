package avro

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	maxNesting = 200     // of a schema's text
	maxFixed   = 1 << 30 // bytes of a fixed
)

// A parser makes nodes of one schema's text.
type parser struct {
	names  map[string]*node   // by full name
	owners map[string]*Schema // of names that come from another schema
	used   []*Schema
	depth  int
	later  []*field // whose defaults can only be looked at when all types are known
}

func newParser(known []*Schema) *parser {
	p := &parser{names: map[string]*node{}, owners: map[string]*Schema{}}
	for _, k := range known {
		walk(k.root, map[*node]bool{}, func(n *node) {
			if n.kind.named() && p.names[n.name] == nil {
				p.names[n.name], p.owners[n.name] = n, k
			}
		})
	}
	return p
}

func (p *parser) parse(text string) (*node, error) {
	raw, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	root, err := p.node(raw, "")
	if err != nil {
		return nil, err
	}
	for _, f := range p.later {
		f.preset, f.bad = new(presetter).append([]byte{}, f.node, f.given)
	}
	return root, nil
}

// parseJSON takes a bare type name too, which is not JSON but is in use.
func parseJSON(text string) (jsontext.Value, error) {
	if t := strings.TrimSpace(text); t != "" && t[0] >= 'a' && t[0] <= 'z' && slices.Contains(kindNames[:kindFixed], t) {
		return jsontext.Value(`"` + t + `"`), nil
	}
	var raw jsontext.Value
	err := json.Unmarshal([]byte(text), &raw, jsontext.AllowDuplicateNames(true))
	return raw, err
}

// referenced returns the schemas whose types the text has named.
func (p *parser) referenced() []*Schema { return p.used }

// A rawSchema is a type or a field in JSON. What an attribute must be depends on the
// type, so most are looked at later.
type rawSchema struct {
	Type        jsontext.Value `json:"type"`
	Name        string         `json:"name"`
	Namespace   jsontext.Value `json:"namespace"`
	Aliases     jsontext.Value `json:"aliases"`
	Fields      jsontext.Value `json:"fields"`
	Symbols     jsontext.Value `json:"symbols"`
	Items       jsontext.Value `json:"items"`
	Values      jsontext.Value `json:"values"`
	Size        jsontext.Value `json:"size"`
	Default     jsontext.Value `json:"default"`
	LogicalType jsontext.Value `json:"logicalType"`
	Precision   jsontext.Value `json:"precision"`
	Scale       jsontext.Value `json:"scale"`
}

func (p *parser) node(raw jsontext.Value, space string) (*node, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, fmt.Errorf("is nested more than %d deep", maxNesting)
	}
	defer func() { p.depth-- }()
	switch raw.Kind() {
	case '"':
		var name string
		if err := json.Unmarshal(raw, &name); err != nil {
			return nil, err
		}
		return p.reference(name, space)
	case '[':
		return p.union(raw, space)
	case '{':
		var s rawSchema
		if err := json.Unmarshal(raw, &s, jsontext.AllowDuplicateNames(true)); err != nil {
			return nil, err
		}
		return p.object(&s, space)
	}
	return nil, fmt.Errorf("%s is no type", clip(raw))
}

func (p *parser) reference(name, space string) (*node, error) {
	if i := slices.Index(kindNames[:kindFixed], name); i >= 0 {
		return &node{kind: kind(i)}, nil
	}
	full := qualify(name, space)
	n := p.names[full]
	if n == nil && full != name { // as Java does
		full, n = name, p.names[name]
	}
	if n == nil {
		return nil, fmt.Errorf("type %q is not defined", qualify(name, space))
	}
	if owner := p.owners[full]; owner != nil && !slices.Contains(p.used, owner) {
		p.used = append(p.used, owner)
	}
	return n, nil
}

func qualify(name, space string) string {
	if space == "" || strings.Contains(name, ".") {
		return name
	}
	return space + "." + name
}

func (p *parser) union(raw jsontext.Value, space string) (*node, error) {
	var branches []jsontext.Value
	if err := json.Unmarshal(raw, &branches); err != nil {
		return nil, err
	}
	if len(branches) == 0 {
		return nil, errors.New("a union holds nothing")
	}
	n := &node{kind: kindUnion}
	for _, b := range branches {
		branch, err := p.node(b, space)
		if err != nil {
			return nil, err
		}
		if branch.kind == kindUnion {
			return nil, errors.New("a union holds a union")
		}
		for _, other := range n.branches {
			if other.label() == branch.label() {
				return nil, fmt.Errorf("a union holds %s twice", branch.label())
			}
		}
		n.branches = append(n.branches, branch)
	}
	return n, nil
}

func (p *parser) object(s *rawSchema, space string) (n *node, err error) {
	if s.Type.Kind() != '"' {
		if s.Type == nil {
			return nil, errors.New("a type has no attribute \"type\"")
		}
		return p.node(s.Type, space) // {"type": {...}}, which is superfluous but in use
	}
	var typ string
	if err := json.Unmarshal(s.Type, &typ); err != nil {
		return nil, err
	}
	switch typ {
	case "record", "error":
		n, err = p.record(s, space)
	case "enum":
		n, err = p.enum(s, space)
	case "fixed":
		n, err = p.fixed(s, space)
	case "array":
		n, err = p.collection(kindArray, "items", s.Items, space)
	case "map":
		n, err = p.collection(kindMap, "values", s.Values, space)
	default:
		if n, err = p.reference(typ, space); n != nil && n.kind.named() {
			return n, err
		}
	}
	if err != nil {
		return nil, err
	}
	return n, n.annotate(s)
}

func (p *parser) collection(k kind, attribute string, raw jsontext.Value, space string) (*node, error) {
	if raw == nil {
		return nil, fmt.Errorf("an %s has no attribute %q", k, attribute)
	}
	item, err := p.node(raw, space)
	return &node{kind: k, item: item}, err
}

// define makes the node of a named type known, and returns the namespace that holds
// in it.
func (p *parser) define(k kind, s *rawSchema, space string) (*node, string, error) {
	if s.Namespace != nil && !strings.Contains(s.Name, ".") {
		if err := json.Unmarshal(s.Namespace, &space); err != nil {
			return nil, "", fmt.Errorf("the namespace of %s: %w", s.Name, err)
		}
	}
	full := qualify(s.Name, space)
	for part := range strings.SplitSeq(full, ".") {
		if !isName(part) {
			return nil, "", fmt.Errorf("%q is no name for the type %s", full, k)
		}
	}
	if full == s.Name && slices.Contains(kindNames[:kindFixed], full) {
		return nil, "", fmt.Errorf("%s cannot be called %q, which is a type of Avro", k, full)
	}
	if p.names[full] != nil && p.owners[full] == nil {
		return nil, "", fmt.Errorf("type %q is defined twice", full)
	}
	space = full[:max(0, strings.LastIndexByte(full, '.'))]
	aliases, err := texts(s.Aliases)
	if err != nil {
		return nil, "", fmt.Errorf("the aliases of %s: %w", full, err)
	}
	for i, a := range aliases {
		aliases[i] = qualify(a, space)
	}
	n := &node{kind: k, name: full, aliases: aliases, fallback: -1}
	p.names[full] = n
	delete(p.owners, full)
	return n, space, nil
}

func isName(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func texts(raw jsontext.Value) (out []string, err error) {
	if raw != nil {
		err = json.Unmarshal(raw, &out)
	}
	return out, err
}

func (p *parser) record(s *rawSchema, space string) (*node, error) {
	n, space, err := p.define(kindRecord, s, space)
	if err != nil {
		return nil, err
	}
	var fields []rawSchema
	if s.Fields == nil {
		return nil, fmt.Errorf("record %s has no attribute \"fields\"", n.name)
	}
	if err := json.Unmarshal(s.Fields, &fields, jsontext.AllowDuplicateNames(true)); err != nil {
		return nil, fmt.Errorf("the fields of %s: %w", n.name, err)
	}
	for i := range fields {
		f, err := p.field(&fields[i], space)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", n.name, fields[i].Name, err)
		}
		for _, other := range n.fields {
			if other.name == f.name {
				return nil, fmt.Errorf("record %s has two fields %q", n.name, f.name)
			}
		}
		n.fields = append(n.fields, f)
	}
	return n, nil
}

func (p *parser) field(s *rawSchema, space string) (*field, error) {
	if !isName(s.Name) {
		return nil, fmt.Errorf("%q is no name for a field", s.Name)
	}
	aliases, err := texts(s.Aliases)
	if err != nil {
		return nil, fmt.Errorf("the aliases: %w", err)
	}
	f := &field{name: s.Name, aliases: aliases, given: s.Default}
	if s.Type == nil {
		return nil, errors.New("has no attribute \"type\"")
	}
	if f.node, err = p.node(s.Type, space); err != nil {
		return nil, err
	}
	if s.Default != nil {
		p.later = append(p.later, f)
	}
	return f, nil
}

func (p *parser) enum(s *rawSchema, space string) (*node, error) {
	n, _, err := p.define(kindEnum, s, space)
	if err != nil {
		return nil, err
	}
	if s.Symbols == nil {
		return nil, fmt.Errorf("enum %s has no attribute \"symbols\"", n.name)
	}
	if n.symbols, err = texts(s.Symbols); err != nil {
		return nil, fmt.Errorf("the symbols of %s: %w", n.name, err)
	}
	n.index = make(map[string]int, len(n.symbols))
	for i, symbol := range n.symbols {
		if _, ok := n.index[symbol]; ok || !isName(symbol) {
			return nil, fmt.Errorf("enum %s: %q is no symbol, or is there twice", n.name, symbol)
		}
		n.index[symbol] = i
	}
	var symbol string
	if s.Default != nil && json.Unmarshal(s.Default, &symbol) == nil {
		i, ok := n.index[symbol]
		if !ok {
			return nil, fmt.Errorf("enum %s: the default %q is none of its symbols", n.name, symbol)
		}
		n.fallback = i
	}
	return n, nil
}

func (p *parser) fixed(s *rawSchema, space string) (*node, error) {
	n, _, err := p.define(kindFixed, s, space)
	if err != nil {
		return nil, err
	}
	size := strings.Trim(string(s.Size), `"`) // a number in quotes is in use
	if err := json.Unmarshal([]byte(size), &n.size); err != nil || n.size < 0 || n.size > maxFixed {
		return nil, fmt.Errorf("fixed %s has a size of %q; want a number up to %d", n.name, size, maxFixed)
	}
	return n, nil
}

// clip is raw, short enough for an error.
func clip(raw []byte) string {
	if len(raw) > 40 {
		return string(raw[:40]) + "..."
	}
	return string(raw)
}
