package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Catalog says which topologies there are, and for each the topics it wants: by
// their part in it, with the names they have by default.
type Catalog map[string]map[string]string

// parts returns the parts of all topologies, each once.
func (cat Catalog) parts() []string {
	all := map[string]bool{}
	for _, topics := range cat {
		for part := range topics {
			all[part] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Sources are where a configuration is read from. A later one wins over an
// earlier.
type Sources struct {
	File  string   // none, if empty
	Env   []string // as os.Environ returns it
	Flags *Flags   // may be nil
}

// Load returns the configuration that the sources make. Its error names every
// mistake, one to a line, and where it is.
func Load(cat Catalog, s Sources) (*Config, error) {
	c := Default()
	ks := keys(c, cat.parts())
	var errs []error
	if s.File != "" {
		errs = append(errs, c.readFile(s.File, ks))
	}
	errs = append(errs, c.readEnv(s.Env, ks), c.readFlags(s.Flags, ks))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if err := c.complete(cat); err != nil {
		return nil, err
	}
	return c, c.validate()
}

func (c *Config) readEnv(environ []string, ks []key) error {
	env := map[string]string{}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	var errs []error
	for _, k := range ks {
		if text, ok := env[k.env()]; ok {
			errs = append(errs, c.setText(k, text, k.env()))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) setText(k key, text, origin string) error {
	if err := k.setText(text); err != nil {
		return fmt.Errorf("%s: %w", origin, err)
	}
	c.origin[k.path] = origin
	return nil
}

// StrayEnv returns the variables of environ that look as if they were meant to
// set a key and do not. They may be somebody else's: a container gets LEAT_PORT if
// there is a Kubernetes service called leat.
func StrayEnv(cat Catalog, environ []string) (stray []string) {
	known := map[string]bool{}
	for _, k := range keys(Default(), cat.parts()) {
		known[k.env()] = true
	}
	for _, e := range environ {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "LEAT_") && !known[name] {
			stray = append(stray, name)
		}
	}
	return stray
}

// complete checks topology and topics against the catalog, and gives the topics
// that are not set their default names.
func (c *Config) complete(cat Catalog) error {
	names := slices.Sorted(maps.Keys(cat))
	wants, ok := cat[c.Topology]
	switch {
	case c.Topology == "":
		return c.Fault("topology", "say what to run: one of %s", strings.Join(names, ", "))
	case !ok:
		return c.Fault("topology", "there is no topology %q: it is one of %s%s", c.Topology, strings.Join(names, ", "), Suggest(c.Topology, names))
	}
	var errs []error
	parts := slices.Sorted(maps.Keys(wants))
	for _, part := range slices.Sorted(maps.Keys(c.Topics)) {
		if _, ok := wants[part]; !ok {
			errs = append(errs, c.Fault("topics."+part, "the topology %s has no such topic; it has %s", c.Topology, strings.Join(parts, ", ")))
		}
	}
	for part, name := range wants {
		if c.Topics[part] == "" {
			c.Topics[part] = name
		}
	}
	return errors.Join(errs...)
}

// Fault is the error that says what is wrong with a key, and where it was set.
func (c *Config) Fault(path, format string, args ...any) error {
	origin, ok := c.origin[path]
	switch {
	case !ok:
		origin = path
	case origin != "--"+path:
		origin += ": " + path
	}
	return fmt.Errorf("%s: "+format, append([]any{origin}, args...)...)
}
