package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
)

// A Run plays a file's steps on a test driver.
type Run struct {
	*topologytest.Driver
	file *File
	err  error // of a task
}

// Start builds the scenario of f and starts a driver on it.
func (f *File) Start(tb testing.TB, opts ...topologytest.Option) (*Run, error) {
	tb.Helper()
	return f.start(tb, func(*topology.Builder) {}, opts...)
}

// start is Start with something to say to the builder first.
func (f *File) start(tb testing.TB, prepare func(*topology.Builder), opts ...topologytest.Option) (*Run, error) {
	tb.Helper()
	build := scenario(f.Scenario)
	if build == nil {
		return nil, fmt.Errorf("no scenario is called %q", f.Scenario)
	}
	r := &Run{file: f}
	b := topology.New()
	prepare(b)
	build(b)
	if f.MaxIdle != nil {
		opts = append(opts, topologytest.MaxTaskIdle(ms(*f.MaxIdle)))
	}
	opts = append(opts, topologytest.OnError(func(err error) {
		if r.err == nil {
			r.err = err
		}
	}))
	r.Driver = topologytest.New(tb, b, opts...)
	return r, nil
}

// Feed does what a step says.
func (r *Run) Feed(s Step) error {
	if s.In == nil {
		r.Advance(time.Duration(s.Advance) * time.Millisecond)
		return r.err
	}
	in := topology.Record[string, string]{NullKey: s.In.Key == nil, NullValue: s.In.Value == nil, Time: time.UnixMilli(s.In.Time)}
	if !in.NullKey {
		in.Key = *s.In.Key
	}
	if !in.NullValue {
		in.Value = *s.In.Value
	}
	for _, h := range s.In.Headers {
		header := topology.Header{Key: *h[0]}
		if h[1] != nil {
			header.Value = []byte(*h[1])
		}
		in.Headers = append(in.Headers, header)
	}
	r.Pipe(topic(s.In.Topic), in)
	return r.err
}

// Drain takes what the output topics have received.
func (r *Run) Drain() (out []Record) {
	for _, name := range r.file.Outputs {
		for _, rec := range r.Take(topic(name)) {
			o := Record{Topic: name, Time: rec.Time.UnixMilli()}
			if !rec.NullKey {
				o.Key = &rec.Key
			}
			if !rec.NullValue {
				o.Value = &rec.Value
			}
			for _, h := range rec.Headers {
				pair := [2]*string{&h.Key, nil}
				if h.Value != nil {
					pair[1] = new(string(h.Value))
				}
				o.Headers = append(o.Headers, pair)
			}
			out = append(out, o)
		}
	}
	return out
}

// Check runs all steps and returns the first difference.
func (f *File) Check(tb testing.TB) error {
	tb.Helper()
	r, err := f.Start(tb)
	if err != nil {
		return err
	}
	for i, s := range f.Steps {
		err := r.Feed(s)
		got, want := lines(r.Drain()), lines(s.Out)
		if err == nil && slices.Equal(got, want) {
			continue
		}
		return f.differ(i, err, got)
	}
	return nil
}

// differ is the error of a step from which something else came.
func (f *File) differ(step int, err error, got []string) error {
	s := f.Steps[step]
	return fmt.Errorf("%s, seed %d: step %d differs%s\n  in    %v\n  want  %s\n  got   %s\n  what  %s", f.Scenario, f.Seed, step+1, because(err), s,
		strings.Join(lines(s.Out), "\n        "), strings.Join(got, "\n        "), f.Topology)
}

// lines prints records so that two steps are equal if the lines are: records of one
// key stay in order, the order between keys does not matter.
func lines(rs []Record) []string {
	slices.SortStableFunc(rs, func(a, b Record) int {
		return strings.Compare(a.Topic+text(a.Key), b.Topic+text(b.Key))
	})
	out := make([]string, len(rs))
	for i, r := range rs {
		out[i] = r.String()
	}
	return out
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}
