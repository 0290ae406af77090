package cli

import (
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/cmd/processor/internal/service"
	"github.com/leatstream/leat/cmd/processor/internal/topologies"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/pkg/streams"
	"github.com/leatstream/leat/pkg/topology"
)

// catalog is what a configuration may choose from.
func catalog() config.Catalog {
	cat := config.Catalog{}
	for _, t := range topologies.All() {
		cat[t.Name] = t.Defaults()
	}
	return cat
}

// settings are the flags of a command that has a configuration.
type settings struct {
	sys   System
	file  *string
	flags *config.Flags
}

func addSettings(cmd *cobra.Command, sys System) *settings {
	s := &settings{sys: sys, file: cmd.Flags().StringP("config", "c", "", "configuration file")}
	s.flags = config.AddFlags(catalog(), cmd.Flags())
	cmd.Flags().SortFlags = false
	cmd.Args = cobra.NoArgs
	return s
}

// A loaded is a configuration with the topology that it names.
type loaded struct {
	*config.Config
	entry    topologies.Topology
	topology *topology.Topology
	plan     *task.Plan // of the topology, as the configuration has it run
}

// load reads the configuration and builds the topology.
func (s *settings) load() (l loaded, err error) {
	if l.Config, err = config.Load(catalog(), config.Sources{File: *s.file, Env: s.sys.Environ, Flags: s.flags}); err != nil {
		return loaded{}, usageError{err}
	}
	l.entry, _ = topologies.Find(l.Topology) // it is in the catalog
	if l.entry, err = withSchemas(l.entry, l.Config, s.sys.Out); err != nil {
		return loaded{}, usageError{err}
	}
	if l.topology, err = l.entry.Build(l.Topics); err != nil {
		return loaded{}, usageError{err}
	}
	if l.plan, err = l.topology.Plan().DeadLetters(l.Application, l.Processing.DeadLetterTopic); err != nil {
		return loaded{}, usageError{l.Fault("processing.dead_letter_topic", "%w", err)}
	}
	return l, l.checkInternalTopics()
}

// withSchemas gives a topology the configured registry, if it needs one.
func withSchemas(t topologies.Topology, c *config.Config, log io.Writer) (topologies.Topology, error) {
	switch {
	case t.Registry && len(c.Registry.URLs) == 0:
		return t, c.Fault("registry.urls", "%s has its schemas in a registry: name its addresses", t.Name)
	case !t.Registry && len(c.Registry.URLs) == 0:
		return t, nil
	}
	s, err := service.Schemas(c.Registry, service.Logger(c.Log, log))
	return t.With(s), err
}

// checkInternalTopics finds configurations for topics that do not exist.
func (l loaded) checkInternalTopics() error {
	needs, err := l.needs(1) // the number does not matter to the names
	if err != nil {
		return err
	}
	var names []string
	for _, n := range needs {
		if n.Kind != "source" && n.Kind != "sink" {
			names = append(names, n.Name)
		}
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(l.InternalTopics.Configs)) {
		if !slices.Contains(names, name) {
			errs = append(errs, l.Fault("internal_topics.configs", "the service has no internal topic %s%s", name, config.Suggest(name, names)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return usageError{err}
	}
	return nil
}

// needs are the service's topics if all of its source topics have n partitions.
func (l loaded) needs(n int32) ([]streams.TopicNeed, error) {
	counts := map[string]int32{}
	for _, name := range l.sources() {
		counts[name] = n
	}
	return streams.Topics(l.topology, l.Application, counts)
}

// sources are the names of the topics that the service reads.
func (l loaded) sources() (names []string) {
	for _, t := range l.entry.Topics {
		if t.Use == topologies.Read {
			names = append(names, l.Topics[t.Part])
		}
	}
	return names
}
