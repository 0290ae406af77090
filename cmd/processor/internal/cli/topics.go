package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatstream/leat/cmd/processor/internal/provision"
	"github.com/leatstream/leat/cmd/processor/internal/service"
	"github.com/leatstream/leat/pkg/streams"
)

func newTopics(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "topics --config FILE",
		Short: "Print the topics and the rights that a service needs",
		Long: "Print the topics and the rights that a service needs.\n\n" +
			"Internal topics have as many partitions as the topics that they are fed from.\n" +
			"How many those have is asked of the brokers; with --partitions no broker is asked.",
	}
	format := cmd.Flags().String("format", "table", "table, or commands for Kafka's own tools")
	partitions := cmd.Flags().Int32("partitions", 0, "partitions that every source topic has or will have; 0 asks the brokers")
	principal := cmd.Flags().String("principal", "", "whom to give the rights to; User: and the SASL user or the application by default")
	s := addSettings(cmd, sys)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		l, err := s.load()
		switch {
		case err != nil:
			return err
		case *format != "table" && *format != "commands":
			return usageError{fmt.Errorf("--format: %q is not one of table, commands", *format)}
		case *partitions < 0:
			return usageError{fmt.Errorf("--partitions: %d is less than 0", *partitions)}
		}
		var needs []streams.TopicNeed
		if *partitions > 0 {
			needs, err = l.needs(*partitions)
		} else if needs, err = l.askNeeds(cmd.Context()); err != nil && cmd.Context().Err() == nil {
			fmt.Fprintf(sys.Err, "processor: partition counts are not known: %v; or set --partitions\n", err)
			needs, err = l.openNeeds()
		}
		if err != nil {
			return err
		}
		plan := provision.Make(l.Config, needs)
		if *format == "commands" {
			return plan.Commands(sys.Out, l.Config, cmp.Or(*principal, "User:"+cmp.Or(l.Kafka.SASL.Username, l.Application)))
		}
		return plan.Tables(sys.Out)
	}
	return cmd
}

// askNeeds are the service's topics, given the source topics that the brokers
// have.
func (l loaded) askNeeds(ctx context.Context) ([]streams.TopicNeed, error) {
	client, err := service.Connect(ctx, l.Kafka)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(ctx, l.sources()...)
	if err != nil {
		return nil, err
	}
	counts := map[string]int32{}
	for _, name := range l.sources() {
		if counts[name] = int32(len(topics[name].Partitions)); counts[name] == 0 {
			return nil, fmt.Errorf("topic %q does not exist: create it", name)
		}
	}
	return streams.Topics(l.topology, l.Application, counts)
}

// openNeeds are the service's topics, where it is open how many partitions the
// source topics have: what depends on that is provision.AsInput.
func (l loaded) openNeeds() ([]streams.TopicNeed, error) {
	needs, err := l.needs(1)
	if err != nil {
		return nil, err
	}
	others, err := l.needs(2)
	if err != nil {
		return nil, err
	}
	for i, other := range others {
		if needs[i].Partitions != other.Partitions {
			needs[i].Partitions = provision.AsInput
		}
	}
	return needs, nil
}
