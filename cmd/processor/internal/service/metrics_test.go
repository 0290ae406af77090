package service

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/telemetry"
)

// A family is a metric as it is served, or as docs/operations.md has it.
type family struct {
	kind   string // gauge, counter or histogram
	help   string
	labels map[string][]string // the values that were seen, or are listed, in order
}

// TestMetricsAreDocumented: docs/operations.md lists what is served, with its unit, its
// labels and their values, and nothing else.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	m, err := newMeters()
	if err != nil {
		t.Fatal(err)
	}
	measureEverything(t, m.provider)
	w := httptest.NewRecorder()
	m.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	served, documented := servedFamilies(w.Body.String()), documentedFamilies(t)
	for _, name := range slices.Sorted(maps.Keys(served)) {
		s, d := served[name], documented[name]
		if d == nil {
			t.Errorf("%s is not in docs/operations.md", name)
			continue
		}
		if s.help == "" || d.help == "" {
			t.Errorf("%s says %q, its documentation %q", name, s.help, d.help)
		}
		if (s.kind == "histogram") != strings.HasPrefix(d.help, "histogram: ") || (s.kind == "counter") != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %s; its documentation: %s", name, s.kind, d.help)
		}
		if got, want := slices.Sorted(maps.Keys(s.labels)), slices.Sorted(maps.Keys(d.labels)); !slices.Equal(got, want) {
			t.Errorf("%s has the labels %v, its documentation %v", name, got, want)
		}
		for label, want := range d.labels {
			if got := s.labels[label]; len(want) > 0 && !slices.Equal(got, want) {
				t.Errorf("%s of %s is one of %v, by its documentation of %v", label, name, got, want)
			}
		}
	}
	for name := range documented {
		if served[name] == nil {
			t.Errorf("%s is in docs/operations.md, and nothing is served by that name", name)
		}
	}
}

// TestManyPartitions: of each partition there is a lag, however many there are.
func TestManyPartitions(t *testing.T) {
	t.Parallel()
	m, err := newMeters()
	if err != nil {
		t.Fatal(err)
	}
	const n = 5000
	lags := make([]telemetry.Lag, n)
	for p := range lags {
		lags[p] = telemetry.Lag{Topic: "t", Partition: int32(p)}
	}
	observe(t, m.provider, telemetry.Snapshot{Lags: lags})
	w := httptest.NewRecorder()
	m.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, name := range []string{"leat_lag_records", "leat_lag_time_seconds"} {
		if got := strings.Count(w.Body.String(), "\n"+name+"{partition="); got != n {
			t.Errorf("%s of %d partitions, want %d", name, got, n)
		}
	}
}

// measureEverything gives every instrument a value, and every label all that it may be.
func measureEverything(t *testing.T, provider metric.MeterProvider) {
	t.Helper()
	s := telemetry.Snapshot{
		Tasks: map[string]int{"restoring": 1, "running": 1}, Dropped: map[string]int64{}, Workers: make([]telemetry.Shares, 1),
		Lags: []telemetry.Lag{{Topic: "t"}}, Restores: []telemetry.Restore{{Store: "s"}}, State: telemetry.State{Memory: map[string]int64{"s": 1}},
	}
	for why := range task.DropReasons {
		s.Dropped[why.String()] = 1
	}
	metrics := observe(t, provider, s)
	for _, how := range []string{"assigned", "revoked", "lost"} {
		metrics.Moved(how, 1)
	}
	r := metrics.Recorder()
	r.Batch("0", time.Second)
	r.Delays("0", time.Now(), []int64{0})
	r.Commit(time.Second)
	r.CommitFailed("offset commit")
	r.Read("t", 1)
	r.Written("t", 1)
	r.Retried(1)
}

// observe makes instruments that measure s.
func observe(t *testing.T, provider metric.MeterProvider, s telemetry.Snapshot) *telemetry.Metrics {
	t.Helper()
	metrics, err := telemetry.New(provider)
	if err != nil {
		t.Fatal(err)
	}
	stop, err := metrics.Observe(func() telemetry.Snapshot { return s })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return metrics
}

var (
	described = regexp.MustCompile(`(?m)^# HELP (leat_\w+) (.*)\n# TYPE \w+ (\w+)$`)
	sampled   = regexp.MustCompile(`(?m)^(leat_\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$`)
	labelled  = regexp.MustCompile(`(\w+)="(.*?)"`)
)

// servedFamilies reads Prometheus' text format.
func servedFamilies(text string) map[string]*family {
	out := map[string]*family{}
	for _, f := range described.FindAllStringSubmatch(text, -1) {
		out[f[1]] = &family{kind: f[3], help: f[2], labels: map[string][]string{}}
	}
	for _, sample := range sampled.FindAllStringSubmatch(text, -1) {
		for _, l := range labelled.FindAllStringSubmatch(sample[2], -1) {
			if f := out[sample[1]]; f != nil && l[1] != "le" && !slices.Contains(f.labels[l[1]], l[2]) {
				f.labels[l[1]] = append(f.labels[l[1]], l[2])
				slices.Sort(f.labels[l[1]])
			}
		}
	}
	return out
}

var quoted = regexp.MustCompile("`(\\w+)`(?:: ([^`|]*))?")

// documentedFamilies reads the rows of the table, as in: | `leat_x`, `leat_y` | `label`: a, b | what it says |
func documentedFamilies(t *testing.T) map[string]*family {
	t.Helper()
	text, err := os.ReadFile("../../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*family{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(cells[1], " `leat_") {
			continue
		}
		labels := map[string][]string{}
		for _, l := range quoted.FindAllStringSubmatch(cells[2], -1) {
			labels[l[1]] = strings.FieldsFunc(l[2], func(r rune) bool { return r == ',' || r == ' ' })
			slices.Sort(labels[l[1]])
		}
		for _, name := range quoted.FindAllStringSubmatch(cells[1], -1) {
			out[name[1]] = &family{help: strings.TrimSpace(cells[3]), labels: labels}
		}
	}
	return out
}
