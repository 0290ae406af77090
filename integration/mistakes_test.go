package integration

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestMistakes: what an operator can get wrong is one clear line and an exit code, also where the answer comes from a
// real broker, which would rather create a topic than say that it is not there.
func TestMistakes(t *testing.T) {
	t.Parallel()
	f := setup(t, "mistakes", 4)
	f.must(f.topics.Create(f.ctx, 3, f.app+"-words-repartition", f.app+"-three"))
	f.must(f.topics.Create(f.ctx, 3, f.app+"-counted-counts-changelog"))
	for _, c := range []struct {
		name, topology string
		flags          []string
		want           []string
	}{
		{"no-source", "wordcount", []string{"--topics.input=" + f.app + "-none", "--topics.output=" + f.out}, []string{f.app + "-none", "create it"}},
		{"no-sink", "copy", []string{"--topics.input=" + f.in, "--topics.output=" + f.app + "-none"}, []string{f.app + "-none", "create it"}},
		{"repartition", "wordcount", nil, []string{f.app + "-words-repartition", "has 3", "needs 4"}},
		{"changelog", "count", []string{"--application=" + f.app + "-counted"}, []string{f.app + "-counted-counts-changelog", "has 3", "needs 4"}},
		{"parted", "fraud", []string{"--topics.payments=" + f.in, "--topics.limits=" + f.app + "-three"}, []string{f.in, "has 4", f.app + "-three", "has 3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := f.of(t)
			p, err := f.processor(c.name, c.topology, c.flags...).Start()
			f.must(err)
			ctx, cancel := context.WithTimeout(f.ctx, 30*time.Second)
			defer cancel()
			code, stderr, err := p.Exit(ctx)
			f.must(err)
			line, more, _ := strings.Cut(stderr, "\n")
			if code == 0 || more != "" {
				t.Errorf("exit code %d; more than a line: %q", code, more)
			}
			for _, want := range c.want {
				if !strings.Contains(line, want) {
					t.Errorf("%q does not say %q", line, want)
				}
			}
			t.Log(line)
		})
	}
}
