package instance

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/worker"
)

// A meter reads metrics as Prometheus would name them.
type meter struct {
	t      *testing.T
	reader *metric.ManualReader
}

func newMeter(t *testing.T, cfg *Config) meter {
	m := meter{t, metric.NewManualReader()}
	cfg.Meter = metric.NewMeterProvider(metric.WithReader(m.reader))
	return m
}

// read returns every value by name and labels: a histogram's is its count.
func (m meter) read() map[string]float64 {
	m.t.Helper()
	var rm metricdata.ResourceMetrics
	if err := m.reader.Collect(context.Background(), &rm); err != nil {
		m.t.Fatal(err)
	}
	values := map[string]float64{}
	for _, scope := range rm.ScopeMetrics {
		for _, one := range scope.Metrics {
			switch data := one.Data.(type) {
			case metricdata.Gauge[int64]:
				points(values, one.Name, data.DataPoints)
			case metricdata.Gauge[float64]:
				points(values, one.Name, data.DataPoints)
			case metricdata.Sum[int64]:
				points(values, one.Name, data.DataPoints)
			case metricdata.Sum[float64]:
				points(values, one.Name, data.DataPoints)
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					values[name(one.Name, p.Attributes.ToSlice())] = float64(p.Count)
					values[name(one.Name+".sum", p.Attributes.ToSlice())] = p.Sum
				}
			default:
				m.t.Fatalf("%s is a %T", one.Name, data)
			}
		}
	}
	return values
}

func points[N int64 | float64](values map[string]float64, metric string, data []metricdata.DataPoint[N]) {
	for _, p := range data {
		values[name(metric, p.Attributes.ToSlice())] = float64(p.Value)
	}
}

func name(metric string, labels []attribute.KeyValue) string {
	var parts []string
	for _, l := range labels {
		parts = append(parts, fmt.Sprintf("%s=%s", l.Key, l.Value.String()))
	}
	if len(parts) == 0 {
		return metric
	}
	return metric + "{" + strings.Join(parts, ",") + "}"
}

// expect checks values; a negative one stands for any above 0, not-a-number for any.
func (m meter) expect(want map[string]float64) {
	m.t.Helper()
	got := m.read()
	for name, v := range want {
		if have, ok := got[name]; !ok || v >= 0 && have != v || v < 0 && have <= 0 { // no number compares
			m.t.Errorf("%s is %v (there: %t), want %v", name, have, ok, v)
		}
	}
	if m.t.Failed() {
		for _, name := range slices.Sorted(maps.Keys(got)) {
			m.t.Log(name, got[name])
		}
	}
}

// An onDisk engine says what it takes there.
type onDisk struct{ engine.Engine }

func (onDisk) DiskBytes() int64 { return 4096 }

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, "lines", "counts")
		cfg := w.config(wordCount(t))
		cfg.Workers, cfg.StallTimeout = 1, time.Minute
		cfg.OpenEngine = func(string) (engine.Engine, error) { return onDisk{memory.New()}, nil }
		m := newMeter(t, &cfg)
		_, stop := w.start(cfg)
		w.produce("lines", 0, 50)
		w.checkCounts("counts", 50)
		time.Sleep(endsInterval + time.Second)
		m.expect(map[string]float64{
			"leat.ready": 1, "leat.tasks{state=running}": 4, "leat.tasks{state=restoring}": 0, "leat.tasks.stalled": 0,
			"leat.records.processed": 200, "leat.commits": -1, "leat.rebalances": -1, "leat.tasks.moved{how=assigned}": 4,
			"leat.records.read{topic=lines}": 50, "leat.records.read{topic=app-words-repartition}": 150,
			"leat.records.written{topic=counts}": 150, "leat.records.written{topic=app-words-repartition}": 150,
			"leat.records.written{topic=app-counts-changelog}": -1,
			"leat.batch.duration{subtopology=1}":               -1, "leat.commit.duration": -1, "leat.end_to_end.delay{subtopology=1}": -1,
			"leat.lag.records{partition=0,topic=lines}": 0, "leat.lag.records{partition=1,topic=app-words-repartition}": 0,
			"leat.lag.time{partition=0,topic=lines}": 0, "leat.state.memory{store=counts}": -1, "leat.state.unflushed": 0, "leat.state.disk": 4096,
			"leat.worker.time{share=idle,worker=0}": -1, "leat.worker.time{share=blocked,worker=0}": math.NaN(), "leat.worker.time{share=busy,worker=0}": 0,
		})
		stop()
		if _, there := m.read()["leat.ready"]; there {
			t.Error("a process that has ended is observed still")
		}
	})
}

// What waits is lag, in records and in time, also of a partition that nothing is
// fetched of because enough of it waits.
func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		plan := copyPlan(t, copyIn, func(_, v string) {
			if v == "slow" {
				time.Sleep(5 * time.Second)
			}
		})
		cfg := w.config(plan)
		m := newMeter(t, &cfg)
		_, stop := w.start(cfg)
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		w.send(cl, 0, "one")
		time.Sleep(time.Minute)
		for range 100 {
			w.send(cl, 0, "slow")
		}
		cl.Close()
		time.Sleep(90 * time.Second)
		got := m.read()
		if lag := got["leat.lag.records{partition=0,topic=lines}"]; lag < 75 || lag > 100 {
			t.Errorf("lag of %v records, want most of 100", lag)
		}
		if age := got["leat.lag.time{partition=0,topic=lines}"]; age < 90 {
			t.Errorf("lag of %v s, want more than a minute", age)
		}
		stop()
	})
}

// A log that can be looked at.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A task that restores for long, or waits to, has its lag all the while.
func TestLagWhileRestoring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "words", "counts")
		cfg, _ := w.wired("a", countKeys(t))
		_, stop := w.start(cfg)
		w.putKeys("words", "x")
		w.expectCounts("x=1")
		other := w.begin("somebody") // what a restore has to wait for
		other.count("y", 7)
		stop()

		cfg.StateDir = t.TempDir()
		m := newMeter(t, &cfg)
		in, stop := w.start(cfg)
		w.putKeys("words", "x", "x")
		time.Sleep(time.Minute)
		const records, age = "leat.lag.records{partition=0,topic=words}", "leat.lag.time{partition=0,topic=words}"
		m.expect(map[string]float64{"leat.tasks{state=restoring}": 1, records: 2, age: -1})
		other.end(kgo.TryAbort)
		w.expectCounts("x=1", "x=2", "x=3")
		m.expect(map[string]float64{records: 0, age: 0})

		for _, run := range in.running() { // as after a transaction that has failed
			if err := run.Tag.(*slot).worker.Release(t.Context(), run); err != nil {
				t.Fatal(err)
			}
			in.reopen([]*worker.Run{run}, errCrash)
		}
		m.expect(map[string]float64{"leat.tasks{state=restoring}": 1, records: 0})
		time.Sleep(time.Minute)
		stop()
	})
}

func TestRestoreProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "counts")
		cfg := w.config(wordCount(t))
		_, stop := w.start(cfg)
		w.produce("lines", 0, 50)
		w.checkCounts("counts", 50)
		stop()
		var mu sync.Mutex
		var told []Progress
		cfg.StateDir = t.TempDir()
		cfg.OnRestore = func(ps []Progress) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, ps...)
		}
		m := newMeter(t, &cfg)
		_, stop = w.start(cfg)
		time.Sleep(20 * time.Second)
		m.expect(map[string]float64{"leat.restore.records": -1, "leat.restore.bytes": -1})
		stop()
		mu.Lock()
		defer mu.Unlock()
		i := slices.IndexFunc(told, func(p Progress) bool { return p.Done })
		if i < 0 {
			t.Fatal("nobody was told of the restore")
		}
		p := told[i]
		if p.Store != "counts" || p.Task != "1_0" || p.At != p.To || p.Records == 0 || p.Bytes == 0 || p.Left() != 0 {
			t.Errorf("told of %+v", p)
		}
	})
}

// While a restore goes on, the metrics say how much is left of it, and so does the log every
// ten seconds; it waits for a transaction that somebody has left open here. An engine that
// does not say what it takes on disk has no metric of it.
func TestRestoreIsToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "words", "counts")
		cfg := w.config(countKeys(t))
		w.putKeys("words", "x", "y", "x")
		w.runs(cfg, "x=1", "y=1", "x=2")
		open := w.begin("other")
		open.count("z", 1)

		cfg.StateDir = t.TempDir()
		var log journal
		cfg.Log = slog.New(&log)
		m := newMeter(t, &cfg)
		_, stop := w.start(cfg)
		time.Sleep(25 * time.Second)
		m.expect(map[string]float64{"leat.ready": 0, "leat.tasks{state=restoring}": 1, "leat.restore.remaining{partition=0,store=counts}": 1})
		told := log.since(time.Time{}, "restoring")
		if len(told) != 2 {
			t.Errorf("the log has told %d times of a restore of 25 s", len(told))
		}
		for _, line := range told {
			for what, want := range map[string]int64{"stores": 1, "records": 2, "offsets_left": 1} {
				if got := line.attrs[what].Int64(); got != want {
					t.Errorf("%s: %d, not %d", what, got, want)
				}
			}
		}
		open.end(kgo.TryAbort)
		time.Sleep(20 * time.Second)
		m.expect(map[string]float64{"leat.ready": 1, "leat.tasks{state=restoring}": 0})
		got := m.read()
		for _, gone := range []string{"leat.restore.remaining{partition=0,store=counts}", "leat.state.disk"} {
			if v, there := got[gone]; there {
				t.Errorf("%s is %v", gone, v)
			}
		}
		if n := len(log.since(time.Time{}, "restoring")); n > 3 {
			t.Errorf("the log has told %d times", n)
		}
		stop()
	})
}

func logTo(l *logged) *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
