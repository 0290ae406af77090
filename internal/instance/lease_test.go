package instance

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/topology"
)

// signedPlan copies records and says who did.
func signedPlan(t *testing.T, who string) *task.Plan {
	t.Helper()
	b := topology.New()
	b.From(copyIn).MapValues(func(v string) string { return who + v }).To(copyOut)
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return top.Plan()
}

// cutOff makes the group's coordinator one that an instance does not reach, for as long as
// that is set. All else of the brokers it does reach.
func (w *world) cutOff(instance string) (cut *atomic.Bool) {
	cut = new(atomic.Bool)
	is := func(id *string) bool { return id != nil && *id == instance }
	w.c.Control(func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		w.c.KeepControl()
		theirs := false
		switch req := kreq.(type) {
		case *kmsg.HeartbeatRequest:
			theirs = is(req.InstanceID)
		case *kmsg.JoinGroupRequest:
			theirs = is(req.InstanceID)
		case *kmsg.SyncGroupRequest:
			theirs = is(req.InstanceID)
		case *kmsg.OffsetCommitRequest:
			theirs = is(req.InstanceID)
		}
		if theirs && cut.Load() {
			return nil, errors.New("cut off"), true
		}
		return nil, nil, false
	})
	return cut
}

// With at_least_once nothing at the brokers keeps a process from writing that its group
// has given up. It does so itself: once another has its partition, it writes nothing.
func TestLeaseFences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		cut := w.cutOff("a")
		start := func(name string) (*Instance, func()) {
			cfg := w.config(signedPlan(t, name))
			cfg.InstanceID, cfg.ExactlyOnce, cfg.Workers, cfg.TransactionTimeout = name, false, 1, 2*time.Second
			return w.start(cfg)
		}
		a, stopA := start("a")
		time.Sleep(5 * time.Second)
		b, stopB := start("b")
		time.Sleep(5 * time.Second)
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		const each = 50 * time.Millisecond
		lines := 0
		pass := func(d time.Duration) {
			for range d / each {
				w.send(cl, 0, fmt.Sprint(lines))
				lines++
				time.Sleep(each)
			}
		}
		pass(10 * time.Second)
		if len(a.Status().Running) != 1 || len(b.Status().Running) != 0 {
			t.Fatalf("a runs %v, b runs %v", a.Status().Running, b.Status().Running)
		}
		cut.Store(true)
		pass(30 * time.Second)
		cut.Store(false)
		pass(30 * time.Second)
		cl.Close()
		if len(a.Status().Running) != 0 || len(b.Status().Running) != 1 {
			t.Errorf("a runs %v, b runs %v", a.Status().Running, b.Status().Running)
		}
		seen, late := map[string]bool{}, 0
		taken := false
		for _, r := range w.read("copy", lines) {
			who, line := string(r.Value[:1]), string(r.Value[1:])
			if taken = taken || who == "b"; taken && who == "a" {
				late++
			}
			seen[line] = true
		}
		if late > 0 || !taken || len(seen) != lines {
			t.Errorf("%d lines of %d are there; b has taken over: %v; after that a wrote %d times", len(seen), lines, taken, late)
		}
		stopA()
		stopB()
	})
}

// A process that is back after its lease had lapsed, and whom nobody has replaced, writes
// on: nothing is restored and nothing is done twice.
func TestLeaseComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "copy")
		cut := w.cutOff("a")
		var log logged
		cfg := w.config(signedPlan(t, "a"))
		cfg.InstanceID, cfg.ExactlyOnce, cfg.Log = "a", false, logTo(&log)
		cfg.TransactionTimeout, cfg.SessionTimeout = time.Minute, 30*time.Second
		_, stop := w.start(cfg)
		time.Sleep(5 * time.Second)
		cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		defer cl.Close()
		w.send(cl, 0, "1")
		time.Sleep(5 * time.Second)
		cut.Store(true)
		time.Sleep(27500 * time.Millisecond) // longer than the lease, shorter than the session
		w.send(cl, 0, "2")
		cut.Store(false)
		time.Sleep(5 * time.Second)
		w.send(cl, 0, "3")
		if got := values(w.read("copy", 3)); got != "a1 a2 a3 " {
			t.Errorf("got %q", got)
		}
		if strings.Contains(log.String(), "transaction failed") || strings.Contains(log.String(), "lost") {
			t.Errorf("it has not gone on by itself: %s", log.String())
		}
		stop()
	})
}
