package instance

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/changelog"
	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/state"
	"github.com/leatstream/leat/internal/task"
)

// A shore is local state of one store, and a changelog that keeps deletions for a day.
type shore struct {
	t     *testing.T
	in    *Instance
	eng   *looseEngine
	began time.Time
}

var (
	shoreLog = kafka.TopicPartition{Topic: changelogTopic}
	shoreNS  = engine.Namespace{Store: "counts"}
)

func newShore(t *testing.T) *shore {
	s := &shore{t: t, eng: &looseEngine{Engine: memory.New()}, began: time.Now()}
	s.in = New(Config{Log: slog.New(slog.DiscardHandler)})
	s.in.topics = map[string]kafka.Topic{changelogTopic: {ID: [16]byte{7}}}
	s.in.tombstones = map[string]time.Duration{changelogTopic: keepsDeletions(nil)}
	return s
}

// stopped says that a task has left its state at an offset now.
func (s *shore) stopped(offset int64) {
	var b engine.Batch
	b.SetPosition(shoreNS, engine.Position{Topic: [16]byte{7}, Offset: offset, Time: time.Now().UnixMilli()})
	if err := s.eng.Write(&b); err != nil {
		s.t.Fatal(err)
	}
	s.eng.loose = nil
}

// open begins a replay of what is there, of a changelog that ends at end now.
func (s *shore) open(end int64, follows bool) *replay {
	s.t.Helper()
	st, err := state.Open(s.eng, shoreNS, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r := &replay{
		in: s.in, slot: &slot{task: assign.Task{}}, store: st, changelog: shoreLog, own: true, hasOffsets: true,
		follows: follows, end: end, tide: tide{end, time.Now()}, gathers: 1,
	}
	if err := r.start(); err != nil {
		s.t.Fatal(err)
	}
	s.eng.loose = nil
	return r
}

// takes lets a replay take a record, and expects the position that is written then, and at
// how many hours since the beginning it was current.
func (s *shore) takes(r *replay, next, end int64, want string) {
	s.t.Helper()
	rec := changelog.Record{Key: []byte("k"), Value: []byte("v"), Offset: next - 1}
	if err := r.apply(changelog.Batch{TopicPartition: shoreLog, Records: []changelog.Record{rec}, Next: next, End: end}); err != nil {
		s.t.Fatal(err)
	}
	s.at(want)
}

func (s *shore) at(want string) {
	s.t.Helper()
	p, ok, err := s.eng.Position(shoreNS)
	if err != nil {
		s.t.Fatal(err)
	}
	got := "nowhere"
	if ok {
		got = fmt.Sprintf("%d at %v", p.Offset, time.UnixMilli(p.Time).Sub(s.began).Hours())
	}
	if got != want {
		s.t.Errorf("it is %s hours, want %s", got, want)
	}
}

// A process stops; a row is deleted elsewhere, and its deletion is gone a day later. In
// between the process begins to restore, and does not come to the deletion: what it has is
// as old as it was, and is not to be used the day after.
func TestInterruptedRestoreIsAsOldAsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShore(t)
		s.stopped(10)
		time.Sleep(20 * time.Hour)
		r := s.open(100, false)
		if r.from != 10 {
			t.Fatalf("after 20 hours it goes on from %d", r.from)
		}
		s.takes(r, 50, 100, "50 at 0")
		time.Sleep(6 * time.Hour)
		if r = s.open(100, false); r.from != 0 {
			t.Errorf("after 26 hours it goes on from %d", r.from)
		}
		time.Sleep(time.Hour)
		s.takes(r, 50, 110, "50 at 26") // all that it has was read since then
		s.takes(r, 100, 110, "100 at 26")
		time.Sleep(20 * time.Hour)
		r = s.open(110, false)
		time.Sleep(time.Hour)
		s.takes(r, 109, 120, "109 at 26")
		s.takes(r, 110, 120, "110 at 47") // there was no more when it began
	})
}

// A copy is as old as it was, too, until it has come to where the log has ended.
func TestCopyThatLagsIsAsOldAsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShore(t)
		s.stopped(10)
		time.Sleep(20 * time.Hour)
		r := s.open(100, true)
		time.Sleep(time.Hour)
		s.takes(r, 99, 150, "99 at 0")
		s.takes(r, 100, 150, "100 at 20") // there was no more when it began
		time.Sleep(time.Hour)
		s.takes(r, 149, 200, "149 at 20")
		time.Sleep(time.Hour)
		s.takes(r, 150, 200, "150 at 21") // nor, at 21 hours, than this
		time.Sleep(time.Hour)
		s.takes(r, 250, 250, "250 at 24")
		time.Sleep(time.Hour)
		s.takes(r, 251, 251, "251 at 25")
	})
}

// A copy of a source is current where the group has come to.
func TestCopyOfSourceIsCurrentWhereTheGroupIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShore(t)
		s.stopped(10)
		time.Sleep(time.Hour)
		r := s.open(100, true)
		r.own = false
		c := &replica{replays{shoreLog: {r}}}
		advance := func(offset int64) {
			t.Helper()
			time.Sleep(time.Hour)
			if !c.advance(map[kafka.TopicPartition]start{shoreLog: {offset: offset}}, time.Now()) {
				t.Fatal("it is set back")
			}
		}
		s.takes(r, 50, 500, "50 at 0")
		advance(200) // more slowly than the group goes on, it comes to where that was
		s.takes(r, 99, 500, "99 at 0")
		s.takes(r, 100, 500, "100 at 1")
		advance(200)
		s.takes(r, 200, 500, "200 at 3")
	})
}

// ended is a reader that ends before anything comes.
type ended struct{}

func (ended) Run(context.Context, []changelog.Target, func(changelog.Batch) error) error {
	return context.Canceled
}

// Before a copy has taken anything something else is wanted, or the process stops: what is
// there stays as it was, and is not written.
func TestCopyThatTookNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			stopped bool
			want    string
		}{{true, "10 at 0"}, {false, "nowhere"}} {
			s := newShore(t)
			if c.stopped {
				s.stopped(10)
			}
			time.Sleep(time.Hour)
			f := s.in.followerWith(ended{}, func() {})
			r := s.open(100, true)
			f.copies[assign.Task{}] = &replica{replays{shoreLog: {r}}}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := f.follow(ctx, nil); err != nil {
				t.Fatal(err)
			}
			if s.at(c.want); len(s.eng.loose) > 0 {
				t.Errorf("it is written %d times", len(s.eng.loose))
			}
			r.gathers = 100
			if err := r.apply(changelog.Batch{TopicPartition: shoreLog, Next: 20, End: 100}); err != nil {
				t.Fatal(err)
			}
			if err := f.follow(ctx, nil); err != nil {
				t.Fatal(err)
			}
			if n := len(s.eng.loose); n != 1 || s.eng.loose[0] {
				t.Errorf("once it has taken something it is written: loose %v", s.eng.loose)
			}
		}
	})
}

// So are global tables, while they are filled and while they are followed.
func TestGlobalTableThatLagsIsAsOldAsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, tp := time.Now(), kafka.TopicPartition{Topic: "rows"}
		g := &globals{in: New(Config{Plan: &task.Plan{}})}
		g.mu.at = map[kafka.TopicPartition]engine.Position{tp: {Offset: 10, Time: began.UnixMilli()}}
		g.mu.tides = map[kafka.TopicPartition]tide{tp: {100, began.Add(20 * time.Hour)}}
		takes := func(next, end int64, want string) {
			t.Helper()
			if err := g.apply(changelog.Batch{TopicPartition: tp, Next: next, End: end}); err != nil {
				t.Fatal(err)
			}
			if p := g.mu.at[tp]; fmt.Sprintf("%d at %v", p.Offset, time.UnixMilli(p.Time).Sub(began).Hours()) != want {
				t.Errorf("it is at %d, as of %v; want %s hours", p.Offset, time.UnixMilli(p.Time).Sub(began), want)
			}
		}
		time.Sleep(21 * time.Hour)
		takes(99, 150, "99 at 0")
		takes(100, 150, "100 at 20")
		g.filled = true
		time.Sleep(time.Hour)
		takes(120, 150, "120 at 20") // it was only now that it was seen to end later
		takes(149, 200, "149 at 20")
		takes(150, 200, "150 at 22")
		takes(200, 200, "200 at 22")
		g.mu.at[tp] = engine.Position{} // filled anew
		g.mu.tides[tp] = tide{100, time.Now()}
		g.filled = false
		time.Sleep(time.Hour)
		takes(50, 150, "50 at 22")
	})
}
