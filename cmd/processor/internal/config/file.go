package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A file is a configuration file on its way into a Config.
type file struct {
	name     string
	c        *Config
	known    map[string]key
	sections map[string]bool
	seen     map[string]int // path -> line
	errs     []error
}

// readFile sets what the file of that name says. It reports every mistake, each
// with its line.
func (c *Config) readFile(name string, ks []key) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return c.readText(name, text, ks)
}

func (c *Config) readText(name string, text []byte, ks []key) error {
	root, err := parse(name, text)
	if err != nil || root == nil {
		return err
	}
	f := &file{name: name, c: c, known: map[string]key{}, sections: map[string]bool{"topics": true}, seen: map[string]int{}}
	for _, k := range ks {
		f.known[k.path] = k
		for i, char := range k.path {
			if char == '.' {
				f.sections[k.path[:i]] = true
			}
		}
	}
	f.section(root, "")
	return errors.Join(f.errs...)
}

// parse returns the file's one document; nil if it is empty.
func parse(name string, text []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, syntax(name, err)
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: it has more than one document: remove all after the second ---", name)
	}
	return doc.Content[0], nil
}

// syntax puts the file's name in front of the line that the parser names.
func syntax(name string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		return fmt.Errorf("%s:%s", name, rest)
	}
	return fmt.Errorf("%s: %s", name, text)
}

func (f *file) fail(n *yaml.Node, format string, args ...any) {
	f.errs = append(f.errs, fmt.Errorf("%s:%d: "+format, append([]any{f.name, n.Line}, args...)...))
}

func (f *file) section(n *yaml.Node, prefix string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Tag == "!!null": // a section with all its keys commented out
		return
	case n.Kind != yaml.MappingNode:
		f.fail(n, "want keys with values%s", strings.TrimSuffix(" in "+strings.TrimSuffix(prefix, "."), " in "))
		return
	}
	for i := 0; i < len(n.Content); i += 2 {
		f.entry(n.Content[i], n.Content[i+1], prefix+n.Content[i].Value)
	}
}

func (f *file) entry(name, value *yaml.Node, path string) {
	if first, ok := f.seen[path]; ok {
		f.fail(name, "%s is set twice, first in line %d: remove one", path, first)
		return
	}
	f.seen[path] = name.Line
	if f.sections[path] {
		f.section(value, path+".")
		return
	}
	k, ok := f.known[path]
	if !ok {
		f.fail(name, "unknown key %s%s", path, Suggest(path, f.names()))
		return
	}
	if value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	if value.Tag == "!!null" {
		return
	}
	if err := k.setNode(value); err != nil {
		f.fail(value, "%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	f.c.origin[path] = fmt.Sprintf("%s:%d", f.name, name.Line)
}

// names are all keys and sections, to suggest from.
func (f *file) names() []string {
	return slices.Concat(slices.Sorted(maps.Keys(f.known)), slices.Sorted(maps.Keys(f.sections)))
}
