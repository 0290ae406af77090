package store_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/pkg/serde"
	"github.com/leatstream/leat/pkg/store"
	"github.com/leatstream/leat/pkg/window"
)

// A scene is a scope with one store.
type scene struct {
	tb   testing.TB
	eng  engine.Engine
	ns   engine.Namespace
	s    *state.Store
	late int
}

func newScene(tb testing.TB, d store.Descriptor) *scene {
	tb.Helper()
	sc := &scene{tb: tb, eng: memory.New(), ns: engine.Namespace{Store: d.Name()}}
	sc.open(d)
	return sc
}

func (sc *scene) open(d store.Descriptor) {
	sc.tb.Helper()
	s, err := state.Open(sc.eng, sc.ns, d.Spec().Layout)
	if err != nil {
		sc.tb.Fatal(err)
	}
	sc.s = s
}

func (sc *scene) OpenStore(string) *state.Store { return sc.s }
func (sc *scene) ReadStore(string) *state.Store { return sc.s }
func (sc *scene) Now() int64                    { return 7 }
func (sc *scene) Late()                         { sc.late++ }
func (sc *scene) Changelog(name string) string  { return name }

// commit makes the changes permanent, and returns their changelog keys.
func (sc *scene) commit() (keys [][]byte) {
	sc.tb.Helper()
	_ = sc.s.Changes(func(c state.Change) error {
		if key := sc.s.Layout().Logged(c.Key); key != nil {
			keys = append(keys, slices.Clone(key))
		}
		return nil
	})
	sc.s.Commit()
	var b engine.Batch
	sc.s.Flush(&b)
	if err := sc.eng.Write(&b); err != nil {
		sc.tb.Fatal(err)
	}
	sc.s.Flushed()
	return keys
}

// held counts what the engine holds.
func (sc *scene) held() (n int) {
	sc.tb.Helper()
	it, err := sc.eng.Range(sc.ns, nil, nil, false)
	if err != nil {
		sc.tb.Fatal(err)
	}
	defer it.Close()
	for it.Next() {
		n++
	}
	return n
}

func at(t int64) time.Time { return time.UnixMilli(t) }

// The keys of changelogs and of topics are Kafka Streams': see testdata/java.
func TestGoldenKeys(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		start, _ := strconv.ParseInt(f[2], 10, 64)
		end, _ := strconv.ParseInt(f[3], 10, 64)
		w := window.Windowed[string]{Key: f[1], Span: window.Span{Start: start, End: end}}
		if got := hex.EncodeToString(goldenKey(t, f[0], w)); got != f[4] {
			t.Errorf("%s %v is %s, want %s", f[0], w, got, f[4])
		}
	}
}

// goldenKey writes a window as a line of the golden file says, and reads it back.
func goldenKey(t *testing.T, kind string, w window.Windowed[string]) []byte {
	t.Helper()
	size := time.Duration(w.End-w.Start) * time.Millisecond
	s, of := serde.SessionWindowed(serde.String), func() (store.Descriptor, func(*scene) error) {
		d, _ := store.Session("s", serde.String, serde.Int64).Keeping(math.MaxInt64)
		return d, func(sc *scene) error { return d.Open(sc).Put(w, 1) }
	}
	if strings.HasPrefix(kind, "window") {
		s, of = serde.TimeWindowed(serde.String, size), func() (store.Descriptor, func(*scene) error) {
			d, _ := store.Window("s", serde.String, serde.Int64).Keeping(math.MaxInt64)
			return d, func(sc *scene) error { return d.Open(sc).Put(w.Key, at(w.Start), 1) }
		}
	}
	if strings.HasSuffix(kind, "topic") {
		b, err := s.Append(nil, w)
		back, err2 := s.Decode(b)
		if err != nil || err2 != nil || back != w {
			t.Errorf("%v reads back as %v (%v, %v)", w, back, err, err2)
		}
		return b
	}
	d, put := of()
	sc := newScene(t, d)
	if err := put(sc); err != nil {
		t.Fatal(err)
	}
	return sc.commit()[0]
}

// list prints what a sequence yields.
func list[V any](t *testing.T, seq func(func(store.Entry[window.Windowed[string], V], error) bool)) string {
	t.Helper()
	var out []string
	for e, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%v=%v", e.Key, e.Value))
	}
	return strings.Join(out, " ")
}

func TestWindowReads(t *testing.T) {
	t.Parallel()
	d := store.Window("s", serde.String, serde.Int64).Sized(10).Retention(200 * time.Second)
	sc := newScene(t, d)
	v := d.Open(sc)
	for i, start := range []int64{0, 90_000, 150_000, 199_000} { // in two segments
		for _, k := range []string{"a", "ab", "b"} {
			if err := v.Put(k, at(start), int64(i)); err != nil {
				t.Fatal(err)
			}
		}
		if i == 1 {
			sc.commit()
		}
	}
	for what, c := range map[string][2]string{
		"fetch":    {list(t, v.Fetch("a", at(90_000), at(199_000))), "a@90000/90010=1 a@150000/150010=2 a@199000/199010=3"},
		"reversed": {list(t, v.FetchReversed("a", at(0), at(150_000))), "a@150000/150010=2 a@90000/90010=1 a@0/10=0"},
		"between":  {list(t, v.Between(at(90_000), at(150_000))), "a@90000/90010=1 ab@90000/90010=1 b@90000/90010=1 a@150000/150010=2 ab@150000/150010=2 b@150000/150010=2"},
		"nothing":  {list(t, v.Fetch("a", at(91_000), at(149_000))), ""},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: got  %s\nwant %s", what, c[0], c[1])
		}
	}
	all := strings.Fields(list(t, v.All()))
	back := strings.Fields(list(t, v.Reversed()))
	slices.Reverse(back)
	if len(all) != 12 || !slices.Equal(all, back) {
		t.Errorf("all %v, reversed %v", all, back)
	}
	if val, ok, err := v.Get("ab", at(150_000)); val != 2 || !ok || err != nil {
		t.Error(val, ok, err)
	}
	if err := v.Delete("ab", at(150_000)); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := v.Get("ab", at(150_000)); ok {
		t.Error("deleted and there")
	}
}

// What has expired is not read, and leaves the engine by whole segments, with what
// orders it; nothing of that is logged.
func TestExpiry(t *testing.T) {
	t.Parallel()
	for _, ordered := range []bool{false, true} {
		d := store.Window("s", serde.String, serde.Int64).Sized(10).Retention(100 * time.Second) // segments of 60 s
		each := 1
		if ordered {
			d, each = d.InOrder(), 2
		}
		sc := newScene(t, d)
		v := d.Open(sc)
		put := func(start int64) {
			if err := v.Put("a", at(start), start); err != nil {
				t.Fatal(err)
			}
			if n := len(sc.commit()); n > 1 {
				t.Fatalf("%d changes for one window", n)
			}
		}
		put(1_000)
		put(59_000)
		put(70_000)
		put(101_500)
		if _, ok, _ := v.Get("a", at(1_000)); ok || sc.held() != 4*each {
			t.Errorf("ordered %v: expired and read (%v), or left the engine too early (%d)", ordered, ok, sc.held())
		}
		put(161_000)
		if got := list(t, v.All()); got != "a@70000/70010=70000 a@101500/101510=101500 a@161000/161010=161000" || sc.held() != 3*each {
			t.Errorf("ordered %v: kept %s, %d entries", ordered, got, sc.held())
		}
		if put(59_500); sc.late != 1 || sc.held() != 3*each {
			t.Errorf("ordered %v: %d late, %d entries", ordered, sc.late, sc.held())
		}
	}
}

// A store that is restored has its entries in order, too.
func TestOrderIsRestored(t *testing.T) {
	t.Parallel()
	d := store.Session("s", serde.String, serde.Int64).InOrder().Retention(time.Hour)
	sc := newScene(t, d)
	r, err := state.NewRestorer(sc.s)
	if err != nil {
		t.Fatal(err)
	}
	topic := serde.SessionWindowed(serde.String)
	value, _ := serde.Int64.Append(nil, 5)
	for _, w := range []window.Windowed[string]{{Key: "b", Span: window.Span{Start: 1, End: 9}}, {Key: "a", Span: window.Span{Start: 3, End: 4}}, {Key: "a", Span: window.Span{Start: 2, End: 90_000}}} {
		key, _ := topic.Append(nil, w)
		if err := r.Apply(key, value, 1); err != nil {
			t.Fatal(err)
		}
	}
	gone, _ := topic.Append(nil, window.Windowed[string]{Key: "b", Span: window.Span{Start: 1, End: 9}})
	if err := r.Apply(gone, nil, 2); err != nil {
		t.Fatal(err)
	}
	if err := r.Write(engine.Position{Offset: 4}); err != nil {
		t.Fatal(err)
	}
	sc.open(d)
	sc.s.Resume(90_000)
	var got []string
	walked, err := d.Open(sc).InOrder(0, 50_000, func(w window.Windowed[string], val int64) error {
		got = append(got, w.String())
		return nil
	})
	if err != nil || walked != (store.Walked{Next: 90_000}) || !slices.Equal(got, []string{"a@3/4"}) {
		t.Errorf("%v, %v, %v", got, walked, err)
	}
}

// Local state may be further than the time that was committed, without transactions. Its
// entries are there, those of later segments too, and nothing has expired since. What is
// so far ahead that no record asks for it costs no walk over all segments in between.
func TestTimeGoesOnFromWhatWasCommitted(t *testing.T) {
	t.Parallel()
	for _, ordered := range []bool{false, true} {
		d := store.Window("w", serde.String, serde.Int64).Sized(10).Retention(2 * time.Minute)
		if ordered {
			d = d.InOrder()
		}
		sc := newScene(t, d)
		r, err := state.NewRestorer(sc.s)
		if err != nil {
			t.Fatal(err)
		}
		for _, start := range []int64{500_000, 615_000, 1 << 50} {
			other := newScene(t, d)
			if err := d.Open(other).Put("a", at(start), start); err != nil {
				t.Fatal(err)
			}
			value, _ := serde.Int64.Append(nil, start)
			if err := r.Apply(other.commit()[0], value, start); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Write(engine.Position{Offset: 3}); err != nil {
			t.Fatal(err)
		}
		sc.open(d)
		if got := list(t, d.Open(sc).All()); got != fmt.Sprintf("a@%d/%d=%[1]d", 1<<50, 1<<50+10) {
			t.Errorf("ordered %v: before the committed time is known: %s", ordered, got)
		}
		sc.s.ResumeBehind(500_000)
		sc.s.ResumeBehind(400_000) // another input's
		if got := list(t, d.Open(sc).All()); got != "a@500000/500010=500000 a@615000/615010=615000" || sc.s.Observed() != 500_000 {
			t.Errorf("ordered %v: %s at %d", ordered, got, sc.s.Observed())
		}
		sc.open(d)
		was := sc.s.Observed()
		if sc.s.Resume(500_000); sc.s.Observed() != was {
			t.Errorf("ordered %v: with transactions, time goes back to %d", ordered, sc.s.Observed())
		}
		sc.open(d)
		sc.s.ResumeBehind(state.NeverObserved)
		if got := list(t, d.Open(sc).All()); got != "a@500000/500010=500000 a@615000/615010=615000" || sc.s.Observed() >= 500_000 {
			t.Errorf("ordered %v: nothing had been committed: %s", ordered, got)
		}
		if r, err = state.NewRestorer(sc.s); err != nil {
			t.Fatal(err)
		}
		r.Observe(900_000)
		if sc.s.ResumeBehind(560_000); sc.s.Observed() != 560_000 {
			t.Errorf("ordered %v: restored again, time goes on from %d", ordered, sc.s.Observed())
		}
	}
}

// A seeker counts how often an engine is walked.
type seeker struct {
	engine.Engine
	ranges int
}

func (e *seeker) Range(ns engine.Namespace, lo, hi []byte, reverse bool) (engine.Iterator, error) {
	e.ranges++
	return e.Engine.Range(ns, lo, hi, reverse)
}

// Before the first commit nothing has expired for who is told late, and after a pause
// nothing since that: segments that never were are not walked.
func TestPausesAreNotWalked(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	d := store.Window("w", serde.String, serde.Int64).Retention(day).Sized(60_000)
	sc := newScene(t, d)
	eng := &seeker{Engine: sc.eng}
	sc.eng = eng
	sc.open(d)
	v := d.Open(sc)
	now := time.UnixMilli(0).Add(20_000 * day)
	walk := func(want string) {
		t.Helper()
		eng.ranges = 0
		sc.s.KeepExpired(true)
		defer sc.s.KeepExpired(false)
		var ahead, back []int64
		for e, err := range v.Fetch("k", time.UnixMilli(0), time.UnixMilli(math.MaxInt64)) {
			if err != nil {
				t.Fatal(err)
			}
			ahead = append(ahead, e.Value)
		}
		for e, err := range v.FetchReversed("k", time.UnixMilli(0), time.UnixMilli(math.MaxInt64)) {
			if err != nil {
				t.Fatal(err)
			}
			back = append(back, e.Value)
		}
		slices.Reverse(back)
		if got := fmt.Sprint(ahead); got != want || fmt.Sprint(back) != want || eng.ranges > 20 {
			t.Errorf("it sees %v and %v in %d walks, want %s", ahead, back, eng.ranges, want)
		}
	}
	put := func(at time.Time, n int64) {
		t.Helper()
		if err := v.Put("k", at, n); err != nil {
			t.Fatal(err)
		}
	}
	put(time.UnixMilli(5), 1)
	put(now, 2)
	walk("[1 2]")
	sc.commit()
	put(now.Add(5_000*day), 3)
	walk("[2 3]")
	sc.commit()
	sc.open(d)
	v = d.Open(sc)
	put(now.Add(9_000*day), 4)
	walk("[3 4]")
}

// Who is told late reads a versioned store as it was at the last commit.
func TestVersionsOfWhoIsToldLate(t *testing.T) {
	t.Parallel()
	const minute = 60_000
	d := store.Versioned("v", serde.String, serde.String, 10*time.Minute)
	sc := newScene(t, d)
	sc.s.Linger()
	v := d.Open(sc)
	for _, p := range []struct {
		k, val string
		at     int64
	}{{"k", "v1", 0}, {"k", "v2", 8 * minute}, {"other", "x", 30 * minute}, {"k", "v3", 31 * minute}} {
		if err := v.Put(p.k, p.val, at(p.at)); err != nil {
			t.Fatal(err)
		}
	}
	for late, want := range map[bool]string{false: "", true: "v1"} {
		sc.s.KeepExpired(late)
		if got, ok, err := v.GetAsOf("k", at(5*minute)); got != want || ok != late || err != nil {
			t.Errorf("told late %v: %q, %v, %v", late, got, ok, err)
		}
	}
}
