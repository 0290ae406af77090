package topology_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/pkg/topology"
	"github.com/leatstream/leat/pkg/topology/topologytest"
	"github.com/leatstream/leat/pkg/window"
)

// A joinTwin is what a join of two streams must be, in the most obvious way.
type joinTwin struct {
	before, after, grace  int64
	leftOuter, rightOuter bool
	lefts, rights         []twinRecord
	singles               []twinRecord // ordered by time, side and key
	now, least            int64
	leftsTime, rightsTime int64 // the greatest of those that were kept
	out                   []string
}

type twinRecord struct {
	left       bool
	key, value string
	at         int64
}

func newJoinTwin(before, after, grace int64, kind string) *joinTwin {
	return &joinTwin{
		before: before, after: after, grace: grace, leftOuter: kind != "inner", rightOuter: kind == "outer",
		now: -1, least: math.MaxInt64, leftsTime: math.MinInt64 / 2, rightsTime: math.MinInt64 / 2,
	}
}

func (w *joinTwin) emit(key, l, r string, at int64) {
	w.out = append(w.out, fmt.Sprintf("%s=%s+%s@%d", key, l, r, at))
}

func (w *joinTwin) emitSingle(r twinRecord) {
	if r.left {
		w.emit(r.key, r.value, "null", r.at)
		return
	}
	w.emit(r.key, "null", r.value, r.at)
}

// take joins a record with all that is there.
func (w *joinTwin) take(r twinRecord) {
	w.now = max(w.now, r.at)
	back, ahead, outer := w.before, w.after, w.leftOuter
	others, othersTime := w.rights, w.rightsTime
	if !r.left {
		back, ahead, outer = w.after, w.before, w.rightOuter
		others, othersTime = w.lefts, w.leftsTime
	}
	if w.leftOuter && r.at == w.now {
		w.release(ahead)
	}
	var partners []twinRecord
	for _, o := range others {
		if o.key == r.key && o.at >= max(0, r.at-back) && o.at <= max(0, r.at+ahead) && o.at > othersTime-w.keep() {
			partners = append(partners, o)
		}
	}
	slices.SortStableFunc(partners, func(a, b twinRecord) int { return cmp.Compare(a.at, b.at) })
	for _, o := range partners {
		w.singles = slices.DeleteFunc(w.singles, func(s twinRecord) bool { return s.left == o.left && s.key == o.key && s.at == o.at })
		if r.left {
			w.emit(r.key, r.value, o.value, max(r.at, o.at))
		} else {
			w.emit(r.key, o.value, r.value, max(r.at, o.at))
		}
	}
	switch {
	case len(partners) > 0 || !outer:
	case max(0, r.at+ahead) < w.now:
		w.emitSingle(r)
	default:
		w.least = min(w.least, r.at)
		w.singles = append(w.singles, r)
		slices.SortStableFunc(w.singles, func(a, b twinRecord) int {
			side := map[bool]int{true: 1}
			return cmp.Or(cmp.Compare(a.at, b.at), side[a.left]-side[b.left], strings.Compare(a.key, b.key))
		})
	}
	if r.left {
		w.lefts, w.leftsTime = append(w.lefts, r), max(w.leftsTime, r.at)
	} else {
		w.rights, w.rightsTime = append(w.rights, r), max(w.rightsTime, r.at)
	}
}

func (w *joinTwin) keep() int64 { return max(1, w.before+w.after+w.grace) }

// release is Kafka Streams' walk over the records without a partner, step by step.
func (w *joinTwin) release(ahead int64) {
	if w.least == math.MaxInt64 || w.least+ahead+w.grace >= w.now {
		return
	}
	w.least = math.MaxInt64
	var stay []twinRecord
	leftOpen, rightOpen := false, false
	for i, s := range w.singles {
		w.least = s.at
		if leftOpen && rightOpen {
			stay = append(stay, w.singles[i:]...)
			break
		}
		reach := w.after
		if !s.left {
			reach = w.before
		}
		if s.at+reach+w.grace >= w.now {
			stay = append(stay, s)
			leftOpen, rightOpen = leftOpen || s.left, rightOpen || !s.left
			continue
		}
		w.emitSingle(s)
	}
	w.singles = stay
}

// joinBuilder is the topology that a twin stands for.
func joinBuilder(w *joinTwin, kind string) *topology.Builder {
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	within := window.Within(0).Before(ms(w.before)).After(ms(w.after)).Grace(ms(w.grace))
	b := topology.New()
	l, r := b.From(lefts), b.From(rights)
	switch kind {
	case "inner":
		l.Join(r, within, pairStores, pair).To(joinedPairs)
	case "left":
		l.LeftJoin(r, within, pairStores, leftPair).To(joinedPairs)
	default:
		l.OuterJoin(r, within, pairStores, outerPair).To(joinedPairs)
	}
	return b
}

// playJoin plays random records on a join and its twin, with restarts.
func playJoin(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	kind := []string{"inner", "left", "outer"}[rnd.IntN(3)]
	reach := func() int64 { return rnd.Int64N(8) * 50 }
	before, after, grace := reach(), reach(), reach()
	if rnd.IntN(4) == 0 {
		before = -rnd.Int64N(after + 1)
	} else if rnd.IntN(4) == 0 {
		after = -rnd.Int64N(before + 1)
	}
	if kind != "inner" && before+after+grace == 0 {
		grace = 1
	}
	w := newJoinTwin(before, after, grace, kind)
	d := topologytest.New(t, joinBuilder(w, kind))
	jitter, now := rnd.Int64N(1000)+1, int64(0)
	for i := range 150 {
		now += rnd.Int64N(100)
		r := twinRecord{left: rnd.IntN(2) == 0, key: fmt.Sprint("k", rnd.IntN(3)), value: fmt.Sprint("v", i), at: now}
		if rnd.IntN(3) == 0 {
			r.at = max(0, now-rnd.Int64N(jitter))
		}
		topic := rights
		if r.left {
			topic = lefts
		}
		d.Pipe(topic, topology.Record[string, string]{Key: r.key, Value: r.value, Time: time.UnixMilli(r.at)})
		w.out = nil
		w.take(r)
		var got []string
		for _, o := range d.Take(joinedPairs) {
			got = append(got, fmt.Sprintf("%s=%s@%d", o.Key, o.Value, o.Time.UnixMilli()))
		}
		if !slices.Equal(got, w.out) {
			t.Fatalf("seed %d: %s join, %d before, %d after, %d grace: step %d, %+v:\ngot  %v\nwant %v", seed, kind, before, after, grace, i, r, got, w.out)
		}
		if rnd.IntN(20) == 0 {
			d.Restart(topologytest.Local(rnd.IntN(3)))
		}
	}
}

func TestJoinsAgainstTwin(t *testing.T) {
	t.Parallel()
	for range 100 {
		playJoin(t, rand.Uint64())
	}
}

func FuzzJoins(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(playJoin)
}

// With enough grace an inner join gives every pair within its window once, in whatever
// order the records come.
func TestJoinGivesAllPairs(t *testing.T) {
	t.Parallel()
	for range 20 {
		seed := rand.Uint64()
		rnd := rand.New(rand.NewPCG(seed, 0))
		before, after := rnd.Int64N(300), rnd.Int64N(300)
		w := newJoinTwin(before, after, 1_000_000, "inner")
		d := topologytest.New(t, joinBuilder(w, "inner"), topologytest.Partitions(3))
		var all [2][]twinRecord
		for i := range 80 {
			side := rnd.IntN(2)
			r := twinRecord{key: fmt.Sprint("k", rnd.IntN(5)), value: fmt.Sprint(i), at: rnd.Int64N(3000)}
			all[side] = append(all[side], r)
			topic := []topology.Topic[string, string]{lefts, rights}[side]
			d.Pipe(topic, topology.Record[string, string]{Key: r.key, Value: r.value, Time: time.UnixMilli(r.at)})
		}
		var want, got []string
		for _, l := range all[0] {
			for _, r := range all[1] {
				if l.key == r.key && r.at >= l.at-before && r.at <= l.at+after {
					want = append(want, fmt.Sprintf("%s+%s@%d", l.value, r.value, max(l.at, r.at)))
				}
			}
		}
		for _, o := range d.Take(joinedPairs) {
			got = append(got, fmt.Sprintf("%s@%d", o.Value, o.Time.UnixMilli()))
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d:\ngot  %v\nwant %v", seed, got, want)
		}
	}
}
