package instance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/leatstream/leat/internal/kafka"
	"github.com/leatstream/leat/internal/layout"
)

// Where there is no state directory, the topics tell what is left of an earlier topology
// of this application: names, and how changelogs are cleaned, which is not the same for
// rows, for windows and for buffers.

// checkTopics compares the topology with them.
func (in *Instance) checkTopics(ctx context.Context) error {
	if err := in.checkForms(ctx); err != nil {
		return err
	}
	return in.tellStrangers(ctx)
}

// checkForms refuses changelogs that are cleaned otherwise than what the topology keeps
// in them has to be.
func (in *Instance) checkForms(ctx context.Context) error {
	var names []string
	for _, t := range in.layout.Internal {
		if t.Kind == layout.Changelog {
			names = append(names, t.Name)
		}
	}
	configs, err := kafka.TopicConfigs(ctx, in.admin, names, cleanupPolicy)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range in.layout.Internal {
		if t.Kind != layout.Changelog {
			continue
		}
		has, needs := configs[t.Name][cleanupPolicy], in.spec(t).Configs[cleanupPolicy]
		if has != "" && needs != "" && !slices.Equal(policies(has), policies(needs)) {
			errs = append(errs, fmt.Errorf("%w: changelog %q has %s=%s, and what the topology keeps there needs %s: if another topology has kept something else under this name, give the store another one, or reset the application; if the topic was altered, alter it back",
				ErrTopologyChanged, t.Name, cleanupPolicy, has, needs))
		}
	}
	return errors.Join(errs...)
}

const cleanupPolicy = "cleanup.policy"

// policies are those of a list, in order.
func policies(list string) []string {
	all := strings.Split(strings.ReplaceAll(list, " ", ""), ",")
	slices.Sort(all)
	return all
}

// tellStrangers tells of internal topics of this application that the topology does not
// have.
func (in *Instance) tellStrangers(ctx context.Context) error {
	names, err := kafka.ListTopics(ctx, in.admin)
	if err != nil {
		return fmt.Errorf("topics: %w", err)
	}
	internal := map[string]bool{}
	for _, t := range in.layout.Internal {
		internal[t.Name] = true
	}
	var strangers []string
	for _, name := range names {
		if layout.LooksInternal(in.cfg.App, name) && !internal[name] {
			strangers = append(strangers, name)
		}
	}
	if len(strangers) > 0 {
		slices.Sort(strangers)
		in.log.Warn("there are internal topics that the topology has no use for: of an earlier one, or of an application whose name begins with this one's", "topics", strangers)
	}
	return nil
}
