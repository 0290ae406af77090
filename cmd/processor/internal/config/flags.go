package config

import (
	"errors"

	"github.com/spf13/pflag"
)

// Flags are the flags that set keys: --kafka.brokers and so on.
type Flags struct {
	values map[string]*flagValue
}

// AddFlags adds a flag for every key to set.
func AddFlags(cat Catalog, set *pflag.FlagSet) *Flags {
	f := &Flags{values: map[string]*flagValue{}}
	for _, k := range keys(Default(), cat.parts()) {
		v := &flagValue{text: k.String(), kind: k.typeName()}
		f.values[k.path] = v
		flag := set.VarPF(v, k.path, "", k.help)
		if v.kind == "bool" {
			flag.NoOptDefVal = "true"
		}
	}
	return f
}

func (c *Config) readFlags(f *Flags, ks []key) error {
	if f == nil {
		return nil
	}
	var errs []error
	for _, k := range ks {
		if v := f.values[k.path]; v.given {
			errs = append(errs, c.setText(k, v.text, "--"+k.path))
		}
	}
	return errors.Join(errs...)
}

// A flagValue keeps what a flag was given until the file and the environment
// have been read. It is a pflag.Value.
type flagValue struct {
	text, kind string
	given      bool
}

func (v *flagValue) String() string { return v.text }
func (v *flagValue) Type() string   { return v.kind }
func (v *flagValue) Set(s string) error {
	v.text, v.given = s, true
	return nil
}
