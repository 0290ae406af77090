package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/leatstream/leat/pkg/serde"
)

// maxDepth bounds how far references are followed: a registry refuses circles, but it
// is not ours.
const maxDepth = 16

var errTooDeep = fmt.Errorf("its references are more than %d deep", maxDepth)

// A gathering fetches schemas with all that they refer to. Many may refer to the same one,
// by more paths than anybody can go, so that each is fetched once.
type gathering struct {
	sr    *sr.Client
	known map[version]serde.Schema
}

type version struct {
	subject string
	number  int
}

func (c *Client) gathering() gathering {
	return gathering{sr: c.sr, known: map[version]serde.Schema{}}
}

// full is a schema with all that it refers to.
func (g gathering) full(ctx context.Context, s sr.Schema, depth int) (serde.Schema, error) {
	out := serde.Schema{Text: s.Schema}
	switch s.Type {
	case sr.TypeProtobuf:
		out.Type = serde.ProtobufSchema
	case sr.TypeJSON:
		out.Type = serde.JSONSchema
	}
	if depth > maxDepth && len(s.References) > 0 {
		return out, errTooDeep
	}
	for _, r := range s.References {
		schema, err := g.fetch(ctx, r, depth+1)
		if err != nil {
			return out, err
		}
		out.References = append(out.References, serde.Reference{Name: r.Name, Schema: schema})
	}
	return out, nil
}

func (g gathering) fetch(ctx context.Context, r sr.SchemaReference, depth int) (serde.Schema, error) {
	v := version{r.Subject, r.Version}
	if s, ok := g.known[v]; ok {
		return s, nil
	}
	to, err := g.sr.SchemaByVersion(ctx, r.Subject, r.Version)
	if err != nil {
		return serde.Schema{}, fmt.Errorf("reference %q: %w", r.Name, err)
	}
	s, err := g.full(ctx, to.Schema, depth)
	if err == nil {
		g.known[v] = s
	}
	return s, err
}

type how bool

const (
	find     how = false
	register how = true
)

// A naming finds, or makes, the versions that schemas refer to, each once.
type naming struct {
	*Client
	how
	known map[written]registered
}

type written struct{ subject, text string }

// references are the versions that s refers to.
func (c *Client) references(ctx context.Context, s serde.Schema, h how) ([]sr.SchemaReference, error) {
	return naming{c, h, map[written]registered{}}.references(ctx, s)
}

func (n naming) references(ctx context.Context, s serde.Schema) (refs []sr.SchemaReference, err error) {
	for _, ref := range s.References {
		r, err := n.reference(ctx, ref)
		if err != nil {
			return nil, fmt.Errorf("reference %q: %w", ref.Name, err)
		}
		refs = append(refs, sr.SchemaReference{Name: ref.Name, Subject: ref.Name, Version: r.version})
	}
	return refs, nil
}

func (n naming) reference(ctx context.Context, ref serde.Reference) (registered, error) {
	w := written{ref.Name, ref.Schema.Text}
	if r, ok := n.known[w]; ok {
		return r, nil
	}
	refs, err := n.references(ctx, ref.Schema)
	if err != nil {
		return registered{}, err
	}
	r, err := n.lookup(ctx, ref.Name, ref.Schema, refs)
	if n.how == register && errors.Is(err, ErrNotRegistered) {
		r, err = n.create(ctx, ref.Name, ref.Schema, refs)
	}
	if err == nil {
		n.known[w] = r
	}
	return r, err
}
