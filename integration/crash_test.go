package integration

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leatstream/leat/integration/internal/program"
	"github.com/leatstream/leat/integration/internal/wordcount"
	"github.com/leatstream/leat/internal/failpoint"
)

// TestExactlyOnceAcrossKills: two processes count words over a repartition topic and are killed with -9 at random
// moments and at every point of a commit, while lines are written. Nothing is lost, nothing is counted twice, and each
// is back at work within seconds. It runs alone, because it asserts a time.
//
// It has been seen to fail when offsets are committed outside of the transaction, when inputs or changelogs are read
// uncommitted, and when the engine's position is ahead of its state, be it from a commit or from a restore.
func TestExactlyOnceAcrossKills(t *testing.T) {
	f := setup(t, "exactly-once", 4)
	twice := slices.Concat(failpoint.Points, failpoint.Points)
	began := time.Now()
	kills := f.countAcrossKills(wordcount.ExactlyOnce, twice)
	if kills < 40 {
		t.Errorf("%d kills only", kills)
	}
	if took := time.Since(began); took/time.Duration(kills) > 4*time.Minute/20 {
		t.Errorf("%d kills took %v: more than 4 minutes for 20", kills, took)
	}
}

// TestAtLeastOnceAcrossKills: without transactions a crash may repeat counts, but loses none.
func TestAtLeastOnceAcrossKills(t *testing.T) {
	f := setup(t, "at-least-once", 4)
	f.countAcrossKills(wordcount.AtLeastOnce, []failpoint.Point{failpoint.Flushed, failpoint.EngineSet})
}

// countAcrossKills has two processes count while each of them is killed twice for each of the points.
func (f *fixture) countAcrossKills(g wordcount.Guarantee, points []failpoint.Point) (kills int) {
	f.Helper()
	began := time.Now()
	enough := f.feed(1000)
	victims := [2]*victim{}
	var suffering sync.WaitGroup
	for i, name := range []string{"a", "b"} {
		v := &victim{
			svc: f.processor(name, "wordcount", "--processing.guarantee="+string(g), "--state.flush_interval=1s"),
			rnd: rand.New(rand.NewPCG(f.rnd.Uint64(), 0)),
		}
		victims[i] = v
		suffering.Go(func() {
			order := slices.Clone(points)
			v.rnd.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			if err := v.suffer(f.ctx, order); err != nil {
				f.Errorf("%s: %v", name, err)
			}
		})
	}
	suffering.Wait()
	if f.Failed() {
		f.FailNow()
	}
	var running []*program.Process
	for _, v := range victims {
		f.Logf("%s: %d kills; from restarts to first commits: %v", v.svc.Name, v.kills, v.took)
		kills += v.kills
		running = append(running, v.p)
	}
	f.Logf("%d kills in %v", kills, time.Since(began).Round(time.Second))
	f.checkCounts(enough(), g, running...)
	return kills
}
