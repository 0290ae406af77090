package instance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/task"
)

// ErrTopics is the error of an instance that has ended, cleanly and without leaving the
// group, because topics have come or gone that match a pattern of its plan. Another
// one, made with Config.Rejoin, goes on with those that there are now.
var ErrTopics = errors.New("the topics that match a pattern have changed")

// patternInterval is how often the topics are looked at.
const patternInterval = 10 * time.Second

// expand replaces the patterns of the plan by the topics that match them.
func (in *Instance) expand(ctx context.Context) error {
	if !in.cfg.Plan.Patterned() {
		return nil
	}
	names, err := kafka.ListTopics(ctx, in.admin)
	if err != nil {
		return err
	}
	in.patterns = in.cfg.Plan
	var none []string
	if in.cfg.Plan, none = in.cfg.Plan.Expand(in.cfg.App, names); len(none) > 0 {
		return fmt.Errorf("no topic matches %s: create one, or correct the pattern", strings.Join(none, " and "))
	}
	return nil
}

// watchPatterns ends the instance when another set of topics matches.
func (in *Instance) watchPatterns(ctx context.Context) error {
	for {
		select {
		case <-time.After(patternInterval):
		case <-ctx.Done():
			return nil
		}
		names, err := kafka.ListTopics(ctx, in.admin)
		if err != nil {
			in.log.Warn("the topics cannot be looked at for new ones", "err", err)
			continue
		}
		now, none := in.patterns.Expand(in.cfg.App, names)
		if have, want := reads(in.cfg.Plan), reads(now); len(none) == 0 && !slices.Equal(have, want) {
			in.log.Info("topics that match a pattern have changed", "were", have, "are", want)
			in.beginAnew()
		}
	}
}

// beginAnew ends the instance with ErrTopics.
func (in *Instance) beginAnew() { in.anewOnce.Do(func() { close(in.anew) }) }

// reads are the topics that a plan reads.
func reads(p *task.Plan) (names []string) {
	for _, sub := range p.Subs {
		for _, s := range sub.Sources {
			names = append(names, s.Topic.Name)
		}
	}
	return names
}
