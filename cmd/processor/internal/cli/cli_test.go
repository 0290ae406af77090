package cli

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

// A result is what came of a call.
type result struct {
	code     int
	out, err string
}

// call runs a command line. It is for commands that end by themselves.
func call(t *testing.T, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := Main(t.Context(), args, System{In: strings.NewReader(""), Out: &out, Err: &errs})
	return result{code, out.String(), errs.String()}
}

// expect checks an exit code, and that there is one line on standard error, with
// want in it.
func (r result) expect(t *testing.T, code int, want string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.err, want) {
		t.Errorf("exit code %d, want %d; standard error %q, want %q", r.code, code, r.err, want)
	}
	if strings.Count(r.err, "\n") != 1 || strings.Contains(r.err, "goroutine") {
		t.Errorf("want one line, got %q", r.err)
	}
}

const configs = "../../../../configs/"

func TestTopologies(t *testing.T) {
	t.Parallel()
	r := call(t, "topologies")
	for _, name := range []string{"wordcount", "count", "copy", "fraud", "orders-avro"} {
		if !strings.Contains(r.out, name+" ") {
			t.Errorf("no %s in %s", name, r.out)
		}
	}
	if r.code != 0 || strings.Count(r.out, "\n") != 5 {
		t.Errorf("got %+v", r)
	}
}

// TestConfigs loads every file of configs/, and describes what it runs.
func TestConfigs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(configs + "*.yaml")
	if err != nil || len(files) != 5 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if r := call(t, "describe", "--config", file); r.code != 0 || !strings.Contains(r.out, "sub-topology 0\n") || strings.Contains(r.out, "<") && !strings.Contains(r.out, "<-") {
			t.Errorf("%s: %+v", name, r)
		}
		if r := call(t, "describe", "--config", file, "--format", "mermaid"); r.code != 0 || !strings.HasPrefix(r.out, "flowchart") {
			t.Errorf("%s: %+v", name, r)
		}
		r := call(t, "topics", "--config", file, "--partitions", "3")
		if r.code != 0 || !strings.Contains(r.out, "group") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	r := call(t, "describe", "-c", configs+"wordcount.yaml", "--application", "wc", "--topics.output=totals", "--standby.spread_by=zone") // it is in no zone itself
	for _, want := range []string{"reads  text-lines", "wc-words-repartition", "keeps  counts (changelog wc-counts-changelog)", "-> totals"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
}

func TestTopicsAsCommands(t *testing.T) {
	t.Parallel()
	r := call(t, "topics", "-c", configs+"wordcount.yaml", "--partitions=6", "--format=commands")
	for _, want := range []string{
		"kafka-topics.sh --bootstrap-server localhost:9092 --create --if-not-exists --topic text-lines --partitions 6\n",
		"--topic wordcount-words-repartition --partitions 6 --config cleanup.policy=delete",
		"--topic wordcount-counts-changelog --partitions 6 --config cleanup.policy=compact",
		"kafka-acls.sh --bootstrap-server localhost:9092 --add --allow-principal User:wordcount --operation Read --group wordcount\n",
		"--transactional-id wordcount- --resource-pattern-type prefixed\n",
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	if r := call(t); r.code != 0 || !strings.Contains(r.out, "Available Commands") || r.err != "" {
		t.Errorf("got %+v", r)
	}
	r := call(t, "run", "--help")
	for _, want := range []string{"--kafka.sasl.password secret", "--processing.commit_interval duration", "--topics.payments topic", "(default 100ms)"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	file := configs + "wordcount.yaml"
	typo := filepath.Join(t.TempDir(), "typo.yaml")
	if err := os.WriteFile(typo, []byte("application: a\ntopolgy: copy\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{`there is no command "rnu"; did you mean run?`, []string{"rnu"}},
		{"unknown flag: --kafka.broker; did you mean --kafka.brokers?", []string{"run", "--kafka.broker=x"}},
		{"unknown command", []string{"topologies", "x"}},
		{"no-such.yaml: no such file", []string{"run", "--config", "no-such.yaml"}},
		{typo + ":2: unknown key topolgy; did you mean topology?", []string{"run", "--config", typo}},
		{`--log.level: "loud" is not one of`, []string{"run", "--config", file, "--log.level", "loud"}},
		{`--format: "svg" is not one of text, mermaid`, []string{"describe", "--config", file, "--format", "svg"}},
		{`--format: "x" is not one of table, commands`, []string{"topics", "--config", file, "--format", "x"}},
		{`topic "source" is written by a sink that it feeds`, []string{"describe", "--config", configs + "copy.yaml", "--topics.output", "source"}},
		{`--processing.dead_letter_topic: the topology reads the dead-letter topic "source"`, []string{"describe", "--config", configs + "copy.yaml", "--processing.dead_letter_topic", "source"}},
		{"the service has no internal topic wordcount-count-changelog; did you mean wordcount-counts-changelog?",
			[]string{"run", "--config", file, "--internal_topics.configs={wordcount-count-changelog: {segment.bytes: 1}}"}},
		{"--standby.spread_by: membership.tags has no zone", []string{"run", "--config", file, "--standby.spread_by=zone"}},
		{`--application: "my service" is no name`, []string{"topics", "--config", file, "--format=commands", "--partitions=1", "--application=my service"}},
		{`--log: "loud" is not one of`, []string{"demo", "--log", "loud"}},
		{"records are made for fraud and orders-avro, and this is wordcount", []string{"generate", "--config", file}},
	} {
		call(t, c.args...).expect(t, exitUsage, c.want)
	}
}

// TestFailures are what goes wrong outside of the command line, before a broker
// answers.
func TestFailures(t *testing.T) {
	t.Parallel()
	nobody := unusedAddress(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	service := func(args ...string) []string {
		return append([]string{"-c", configs + "wordcount.yaml", "--kafka.brokers=" + nobody, "--state.dir=" + t.TempDir(), "--http.listen="}, args...)
	}
	for _, c := range []struct {
		command, want string
		args          []string
	}{
		{"run", nobody, nil},
		{"run", file, []string{"--state.dir=" + file + "/x"}},
		{"run", "kafka.tls.ca", []string{"--kafka.tls.enabled", "--kafka.tls.ca=" + file}},
		{"run", "no such file", []string{"--kafka.sasl.mechanism=OAUTHBEARER", "--kafka.sasl.token_file=" + file + ".no"}},
	} {
		call(t, append([]string{c.command}, service(c.args...)...)...).expect(t, exitFailed, c.want)
	}
	r := call(t, append([]string{"topics"}, service()...)...)
	if r.expect(t, exitOK, "no broker of "+nobody+" answers"); !strings.Contains(r.out, "as input") {
		t.Errorf("got %s", r.out)
	}
	call(t, "generate", "-c", configs+"fraud.yaml", "--kafka.brokers=embedded").expect(t, exitFailed, "give that broker's address")
	call(t, "demo", "--input", file+".no").expect(t, exitFailed, "no such file")
	call(t, "demo", "--output", file+"/x").expect(t, exitFailed, "not a directory")
}

// unusedAddress is one that nobody listens at.
func unusedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if r := call(t, "version"); r.code != 0 || !strings.HasPrefix(r.out, "leat ") {
		t.Errorf("got %+v", r)
	}
	info := &debug.BuildInfo{GoVersion: "go1.27.4", Main: debug.Module{Version: "v1.2.3"}}
	info.Deps = []*debug.Module{{Path: "github.com/twmb/franz-go", Version: "v1.22.2"}}
	info.Settings = []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}, {Key: "GOOS", Value: "linux"}, {Key: "GOARCH", Value: "arm64"},
	}
	if got, want := version(info), "leat v1.2.3 0123456789ab with changes, franz-go v1.22.2, go1.27.4 linux/arm64"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestInterruptedDemo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var out, errs bytes.Buffer
	sys := System{In: cancelling{cancel, t.Context()}, Out: &out, Err: &errs}
	file := filepath.Join(t.TempDir(), "counts")
	code := Main(ctx, []string{"demo", "--input", "-", "--output", file}, sys)
	result{code, out.String(), errs.String()}.expect(t, exitFailed, "interrupted")
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// cancelling is an input from which nothing ever comes, and whose reader is
// interrupted.
type cancelling struct {
	cancel context.CancelFunc
	test   context.Context
}

func (c cancelling) Read([]byte) (int, error) {
	c.cancel()
	<-c.test.Done()
	return 0, c.test.Err()
}
