package member

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func speaking(version byte) func(*process, *Config) {
	return func(_ *process, cfg *Config) {
		cfg.speaks = version
		cfg.Replicas = Replicas{Standbys: 1}
	}
}

// A rolling upgrade, and one that is taken back: members of every two versions of the user data are in one group, the
// elder of them leading, and each task has one owner all the time. The fixture checks that.
func TestMixedVersions(t *testing.T) {
	for from := byte(1); from <= dataVersion; from++ {
		for to := byte(1); to <= dataVersion; to++ {
			t.Run(fmt.Sprintf("%d to %d", from, to), func(t *testing.T) {
				inCluster(t, func(c *cluster) {
					a, b := c.start("a", speaking(from)), c.start("b", speaking(from))
					time.Sleep(settled)
					a.Close()
					time.Sleep(settled)
					a = c.start("a", speaking(to))
					time.Sleep(settled)
					if owned := c.owned(); owned != 10 || len(a.owns()) != len(b.owns()) {
						t.Errorf("mixed: %d of 10 tasks are owned, a has %s, b has %s", owned, a.owns(), b.owns())
					}
					b.Close()
					time.Sleep(settled)
					b = c.start("b", speaking(to))
					time.Sleep(settled)
					if owned := c.owned(); owned != 10 || len(a.owns()) != len(b.owns()) {
						t.Errorf("upgraded: %d of 10 tasks are owned, a has %s, b has %s", owned, a.owns(), b.owns())
					}
					for _, p := range c.all {
						if len(p.failed) > 0 {
							t.Errorf("%s: %v", p.name, p.failed)
						}
					}
				})
			})
		}
	}
}

// owned is how many tasks have owners.
func (c *cluster) owned() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.owner)
}

// Who has another topology is told what that of the group's leader is, if the leader's version says so.
func TestOtherTopologyIsShown(t *testing.T) {
	for _, c := range []struct {
		leader, member byte
		want           string
	}{
		{dataVersion, dataVersion, "[reads a keeps b]"},
		{2, dataVersion, "[]"},
		{dataVersion, 2, "[]"},
	} {
		t.Run(fmt.Sprint(c.leader, c.member), func(t *testing.T) {
			inCluster(t, func(cl *cluster) {
				cl.start("a", func(_ *process, cfg *Config) { cfg.speaks, cfg.Shape = c.leader, []string{"reads a", "keeps b"} })
				time.Sleep(settled)
				b := cl.start("b", fingerprint("v2"), func(_ *process, cfg *Config) { cfg.speaks = c.member })
				time.Sleep(settled)
				b.mu.Lock()
				defer b.mu.Unlock()
				var other *TopologyError
				if len(b.failed) == 0 || !errors.As(b.failed[0], &other) {
					t.Fatalf("b says %v", b.failed)
				}
				expect(t, "shape", fmt.Sprint(other.Shape), c.want)
			})
		})
	}
}
