package jsonschema

import (
	"net/url"
	"strings"
)

// places are the addresses at which a $ref may look for what it calls name: relative to
// each of the bases of the schema that it is in, and to none.
func places(name string, bases []*url.URL) []string {
	var out []string
	for _, base := range bases {
		if u, err := base.Parse(name); err == nil {
			u.Fragment = ""
			out = append(out, u.String())
		}
	}
	if !strings.Contains(name, ":") {
		out = append(out, "registry:///"+strings.TrimPrefix(name, "/"))
	}
	return out
}

// basesOf are the addresses that the $refs in a schema may be relative to: where it is, and
// what it calls itself or parts of it.
func basesOf(doc any, at string) []*url.URL {
	base, err := url.Parse(at)
	if err != nil {
		return nil
	}
	id := "$id"
	if o, ok := doc.(map[string]any); ok {
		if draft, ok := o["$schema"].(string); ok && strings.Contains(draft, "draft-04") {
			id = "id"
		}
	}
	return appendBases([]*url.URL{base}, doc, base, id)
}

func appendBases(out []*url.URL, v any, base *url.URL, id string) []*url.URL {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			out = appendBases(out, item, base, id)
		}
	case map[string]any:
		if name, ok := v[id].(string); ok {
			if u, err := base.Parse(name); err == nil {
				base, out = u, append(out, u)
			}
		}
		for _, member := range v {
			out = appendBases(out, member, base, id)
		}
	}
	return out
}
