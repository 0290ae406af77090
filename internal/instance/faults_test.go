package instance

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/engine"
	"github.com/leatstream/leat/internal/engine/memory"
	"github.com/leatstream/leat/internal/fetch"
	"github.com/leatstream/leat/internal/state"
)

// Faults that do not pass by themselves end the process at once, with an error that says
// what is wrong. docs/reliability.md lists them.

// An authorisation that is revoked while the process runs.
func TestAuthorisationRevoked(t *testing.T) {
	for name, c := range map[string]struct {
		fault kfake.Fault
		is    *kerr.Error
		says  string
	}{
		"to read":         {kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "lines", Err: kerr.TopicAuthorizationFailed}, kerr.TopicAuthorizationFailed, "lines"},
		"to write":        {kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "copy", Err: kerr.TopicAuthorizationFailed}, kerr.TopicAuthorizationFailed, "copy"},
		"of the producer": {kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.TransactionalIDAuthorizationFailed}, kerr.TransactionalIDAuthorizationFailed, "offset commit"},
		"to commit":       {kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.GroupAuthorizationFailed}, kerr.GroupAuthorizationFailed, "offset commit"},
		"of the group":    {kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.GroupAuthorizationFailed}, kerr.GroupAuthorizationFailed, "app"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, "lines", "copy")
				go func() {
					time.Sleep(20 * time.Second)
					w.c.Fault(c.fault)
					w.produce("lines", 0, 10)
				}()
				began := time.Now()
				err := w.end(w.config(copyPlan(t, copyIn, func(_, _ string) {})))
				if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("run: %v", err)
				}
				if took := time.Since(began); took > 80*time.Second {
					t.Errorf("it took %v to end", took)
				}
			})
		})
	}
}

// A source topic is deleted, or deleted and created anew with records in it, while the
// process runs: of the new one it processes nothing.
func TestTopicDeleted(t *testing.T) {
	for name, anew := range map[string]bool{"deleted": false, "created anew": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, "lines", "copy")
				w.produce("lines", 0, 5)
				go func() {
					time.Sleep(20 * time.Second)
					if err := w.c.DeleteTopic("lines"); err != nil {
						t.Error(err)
					}
					if !anew {
						return
					}
					if err := w.c.CreateTopic("lines", 1, nil); err != nil {
						t.Error(err)
					}
					w.produce("lines", 0, 10)
				}()
				err := w.end(w.config(copyPlan(t, copyIn, func(_, _ string) {})))
				if at, ok := errors.AsType[*fetch.PositionError](err); !ok || at.Topic != "lines" || !strings.Contains(err.Error(), "created anew") {
					t.Errorf("run: %v", err)
				}
				if n := len(w.read("copy", 5)); n != 5 {
					t.Errorf("%d lines are copied, not 5", n)
				}
			})
		})
	}
}

// A brokenEngine fails writes once it is told to.
type brokenEngine struct {
	engine.Engine
	err *atomic.Pointer[error]
}

func (e brokenEngine) Write(b *engine.Batch) error {
	if err := e.err.Load(); err != nil {
		return *err
	}
	return e.Engine.Write(b)
}

// A full disk ends the process: what is committed is in the changelogs. Corrupt local
// state ends it too, and is removed, so that the next start restores it.
func TestEngineFails(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		stays bool
	}{
		"disk full": {syscall.ENOSPC, true},
		"corrupt":   {&state.Error{Op: "write", Err: engine.ErrCorrupt}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, "lines", "counts")
				var fails atomic.Pointer[error]
				cfg := w.config(wordCount(t))
				cfg.FlushInterval = time.Second
				cfg.OpenEngine = func(dir string) (engine.Engine, error) {
					if err := os.MkdirAll(dir, 0o755); err != nil {
						return nil, err
					}
					return brokenEngine{memory.New(), &fails}, nil
				}
				go func() {
					time.Sleep(20 * time.Second)
					w.produce("lines", 0, 10)
					time.Sleep(20 * time.Second)
					fails.Store(&c.err)
					w.produce("lines", 10, 10)
				}()
				if err := w.end(cfg); !errors.Is(err, c.err) {
					t.Errorf("run: %v", err)
				}
				if _, err := os.Stat(filepath.Join(cfg.StateDir, "engine")); (err == nil) != c.stays {
					t.Errorf("local state: %v", err)
				}
				fails.Store(nil)
				_, stop := w.start(cfg)
				w.checkCounts("counts", 20)
				stop()
			})
		})
	}
}

// Local state that cannot be opened because it is corrupt is removed and restored.
func TestEngineOpensCorrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, "lines", "counts")
		cfg := w.config(wordCount(t))
		opens := 0
		cfg.OpenEngine = func(string) (engine.Engine, error) {
			if opens++; opens == 2 {
				return nil, engine.ErrCorrupt
			}
			return memory.New(), nil
		}
		for i := range 2 {
			_, stop := w.start(cfg)
			w.produce("lines", i*10, 10)
			w.checkCounts("counts", i*10+10)
			stop()
		}
		if opens != 3 {
			t.Errorf("opened %d times", opens)
		}
	})
}
