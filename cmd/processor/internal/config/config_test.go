package config

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

var catalog = Catalog{
	"wordcount": {"input": "text-lines", "output": "word-counts"},
	"fraud":     {"payments": "payments", "alerts": "alerts"},
}

// load makes a configuration from a file, an environment and flags.
func load(t *testing.T, text string, env []string, args ...string) (*Config, error) {
	t.Helper()
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags := AddFlags(catalog, set)
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(catalog, Sources{File: name, Env: env, Flags: flags})
	if err != nil {
		err = fmt.Errorf("%s", strings.ReplaceAll(err.Error(), name, "c.yaml"))
	}
	return c, err
}

const minimal = "application: a\ntopology: wordcount\nkafka: {brokers: [b:9092]}\n"

func TestDefaults(t *testing.T) {
	t.Parallel()
	c, err := load(t, minimal, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Processing.CommitInterval != 100*time.Millisecond || c.Memory.Budget != 256<<20 || !c.Membership.LeaveOnStop {
		t.Errorf("got %+v", c)
	}
	if got := fmt.Sprint(c.Topics); got != "map[input:text-lines output:word-counts]" {
		t.Errorf("topics %s", got)
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := minimal + "http: {listen: from-file}\nlog: {level: warn}\nstate: {dir: from-file}\ntopics: {input: from-file, output: from-file}\n"
	env := []string{"LEAT_LOG_LEVEL=error", "LEAT_STATE_DIR=from-env", "LEAT_TOPICS_OUTPUT=from-env", "OTHER=1"}
	c, err := load(t, file, env, "--state.dir=from-flag")
	if err != nil {
		t.Fatal(err)
	}
	for what, got := range map[string][2]string{
		"default": {c.Log.Format, "text"},
		"file":    {c.HTTP.Listen, "from-file"},
		"env":     {c.Log.Level, "error"},
		"flag":    {c.State.Dir, "from-flag"},
		"topic":   {c.Topics["input"] + " " + c.Topics["output"], "from-file from-env"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: got %q, want %q", what, got[0], got[1])
		}
	}
}

// TestEveryKey sets each key by file, by environment and by flag.
func TestEveryKey(t *testing.T) {
	t.Parallel()
	for _, k := range keys(Default(), catalog.parts()) {
		text := map[string]string{
			"bool": "true", "int": "7", "size": "7MiB", "duration": "7s", "list": "x,y", "yaml": "{t: {k: v}}", "map": "{k: v}",
		}[k.typeName()]
		switch {
		case k.enum != nil:
			text = k.enum[len(k.enum)-1]
		case text == "":
			text = "some"
		}
		for source, set := range map[string]func(*Config) error{
			"file": func(c *Config) error { return c.readFile(yamlFile(t, k, text), keys(c, catalog.parts())) },
			"env":  func(c *Config) error { return c.readEnv([]string{k.env() + "=" + text}, keys(c, catalog.parts())) },
			"flag": func(c *Config) error {
				fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
				flags := AddFlags(catalog, fs)
				if err := fs.Parse([]string{"--" + k.path + "=" + text}); err != nil {
					return err
				}
				return c.readFlags(flags, keys(c, catalog.parts()))
			},
		} {
			c := Default()
			if err := set(c); err != nil {
				t.Errorf("%s by %s: %v", k.path, source, err)
			}
			if c.origin[k.path] == "" {
				t.Errorf("%s by %s: not set", k.path, source)
			}
		}
	}
}

func yamlFile(t *testing.T, k key, text string) string {
	t.Helper()
	if k.typeName() == "list" {
		text = "[" + text + "]"
	}
	var b strings.Builder
	for i, part := range strings.Split(k.path, ".") {
		fmt.Fprintf(&b, "\n%s%s:", strings.Repeat("  ", i), part)
	}
	name := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(name, []byte(b.String()+" "+text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	c, err := load(t, minimal+"  \n", []string{"LEAT_KAFKA_SASL_PASSWORD=swordfish"}, "--kafka.sasl.mechanism=PLAIN", "--kafka.sasl.username=me")
	if err != nil {
		t.Fatal(err)
	}
	var text, json bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("configuration", slog.Any("", c))
	slog.New(slog.NewJSONHandler(&json, nil)).Info("configuration", slog.Any("", c))
	for _, out := range []string{text.String(), json.String(), fmt.Sprint(c), fmt.Sprintf("%+v %#v", c, *c)} {
		if strings.Contains(out, "swordfish") {
			t.Errorf("the password is in %s", out)
		}
	}
	for _, want := range []string{" kafka.sasl.password=(hidden) ", " kafka.sasl.username=me ", " topics.input=text-lines ", " state.flush_bytes=64MiB "} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %s in %s", want, text.String())
		}
	}
}

// TestExample: configs/wordcount.yaml names every key; one that is commented out has its
// default there, or an example if that is empty.
func TestExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../../configs/wordcount.yaml")
	if err != nil {
		t.Fatal(err)
	}
	parts := slices.Sorted(maps.Keys(catalog["wordcount"]))
	as, whole := Default(), Default()
	if err := as.readText("as it is", text, keys(as, parts)); err != nil {
		t.Error(err)
	}
	text = regexp.MustCompile(`(?m)^( *)# ( *[a-z_-]+:)`).ReplaceAll(text, []byte("$1$2"))
	if err := whole.readText("with all that is commented out", text, keys(whole, parts)); err != nil {
		t.Error(err)
	}
	named := map[string]string{}
	for _, k := range keys(whole, parts) {
		named[k.path] = k.String()
	}
	for _, k := range keys(Default(), parts) {
		kind := k.value.Kind()
		empty := (kind == reflect.String || kind == reflect.Slice || kind == reflect.Map) && k.value.Len() == 0
		switch {
		case whole.origin[k.path] == "":
			t.Errorf("%s is not there", k.path)
		case as.origin[k.path] == "" && !empty && named[k.path] != k.String():
			t.Errorf("%s is commented out with %s; its default is %s", k.path, named[k.path], k)
		}
	}
}

func TestStrayEnv(t *testing.T) {
	t.Parallel()
	got := StrayEnv(catalog, []string{"LEAT_LOG_LEVEL=x", "LEAT_LOG_LEVLE=x", "PATH=x", "LEAT_TOPICS_ALERTS=x"})
	if fmt.Sprint(got) != "[LEAT_LOG_LEVLE]" {
		t.Errorf("got %v", got)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Size{"0": 0, "12": 12, "1KiB": 1024, "64MiB": 64 << 20, "3 GiB": 3 << 30, "2TiB": 2 << 40, "5B": 5} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		} else if back, err := ParseSize(got.String()); err != nil || back != got {
			t.Errorf("%q is printed as %q", text, got)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5GiB", "64MB", "9000000TiB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q: %d, want an error", text, got)
		}
	}
}
