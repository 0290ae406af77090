package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A key is one thing that can be set.
type key struct {
	path  string // as in kafka.tls.enabled
	help  string
	enum  []string      // what is allowed; nil is anything
	value reflect.Value // the field of a Config
	entry string        // if not empty: the entry of the map of strings in value
}

// keys returns the keys of c in the order of its fields. parts are the entries
// that topics may have.
func keys(c *Config, parts []string) []key {
	ks := fields(reflect.ValueOf(c).Elem(), "")
	for _, part := range parts {
		ks = append(ks, key{
			path: "topics." + part, help: "topic that is the topology's " + part,
			value: reflect.ValueOf(&c.Topics).Elem(), entry: part,
		})
	}
	return ks
}

func fields(v reflect.Value, prefix string) (ks []key) {
	for f, value := range v.Fields() {
		tag := f.Tag.Get("key")
		switch {
		case tag == "" || tag == "topics": // its entries are keys
		case f.Type.Kind() == reflect.Struct:
			ks = append(ks, fields(value, prefix+tag+".")...)
		default:
			k := key{path: prefix + tag, help: f.Tag.Get("help"), value: value}
			if enum := f.Tag.Get("enum"); enum != "" {
				k.enum = strings.Split(enum, ",")
			}
			ks = append(ks, k)
		}
	}
	return ks
}

// env is the environment variable that sets k.
func (k key) env() string {
	return "LEAT_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(k.path))
}

// typeName is the key's type as --help shows it.
func (k key) typeName() string {
	switch {
	case k.enum != nil:
		return strings.Join(k.enum, "|")
	case k.entry != "":
		return "topic"
	}
	switch k.value.Interface().(type) {
	case Size:
		return "size"
	case Secret:
		return "secret"
	case time.Duration:
		return "duration"
	case []string:
		return "list"
	case map[string]string:
		return "map"
	case map[string]map[string]string:
		return "yaml"
	}
	return k.value.Kind().String()
}

// String is the key's value; a secret stays one.
func (k key) String() string {
	switch v := k.value.Interface().(type) {
	case map[string]string:
		if k.entry == "" {
			return pairs(v)
		}
		return v[k.entry]
	case []string:
		return strings.Join(v, ",")
	case map[string]map[string]string:
		if len(v) == 0 {
			return ""
		}
	}
	return fmt.Sprint(k.value.Interface())
}

// setText sets k from an environment variable or a flag.
func (k key) setText(text string) error {
	switch {
	case k.value.Kind() == reflect.Slice && !strings.HasPrefix(text, "["):
		k.value.Set(reflect.ValueOf(strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })))
		return nil
	case k.entry == "" && (k.value.Kind() == reflect.Slice || k.value.Kind() == reflect.Map):
		return yaml.Unmarshal([]byte(text), k.value.Addr().Interface())
	}
	return k.setScalar(text)
}

// setNode sets k from the file.
func (k key) setNode(n *yaml.Node) error {
	kind := k.value.Kind()
	switch {
	case kind == reflect.Slice && n.Kind != yaml.SequenceNode:
		return fmt.Errorf("want a list, as in [a, b]")
	case k.entry == "" && (kind == reflect.Slice || kind == reflect.Map):
		return n.Decode(k.value.Addr().Interface())
	case n.Kind != yaml.ScalarNode:
		return fmt.Errorf("want one value (%s)", k.typeName())
	}
	return k.setScalar(n.Value)
}

func (k key) setScalar(text string) (err error) {
	if k.enum != nil && !slices.Contains(k.enum, text) {
		return fmt.Errorf("%q is not one of %s", text, strings.Join(k.enum, ", "))
	}
	switch p := k.value.Addr().Interface().(type) {
	case *string:
		*p = text
	case *Secret:
		*p = Secret(text)
	case *map[string]string:
		(*p)[k.entry] = text
	case *bool:
		if *p, err = strconv.ParseBool(text); err != nil {
			err = fmt.Errorf("%q is not true or false", text)
		}
	case *int:
		if *p, err = strconv.Atoi(text); err != nil {
			err = fmt.Errorf("%q is not a whole number", text)
		}
	case *Size:
		*p, err = ParseSize(text)
	case *time.Duration:
		if *p, err = time.ParseDuration(text); err != nil {
			err = fmt.Errorf("%q is not a duration: write a number and ms, s, m or h, as in 100ms", text)
		}
	default:
		panic(fmt.Sprintf("config: no way to set a %T", p))
	}
	return err
}

// pairs prints a map as YAML has it.
func pairs(m map[string]string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, key+": "+m[key])
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
