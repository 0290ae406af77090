package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/cmd/processor/internal/provision"
	"github.com/leatstream/leat/cmd/processor/internal/service"
	"github.com/leatstream/leat/cmd/processor/internal/topologies"
	"github.com/leatstream/leat/pkg/streams"
)

func newTopics(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "topics --config FILE",
		Short: "Print the topics and the rights that a service needs",
		Long: "Print the topics and the rights that a service needs.\n\n" +
			"Internal topics have as many partitions as the topics they are fed from, which\n" +
			"are asked of the brokers. With --partitions no broker is asked.",
	}
	format := cmd.Flags().String("format", "table", "table, or commands for Kafka's own tools")
	partitions := cmd.Flags().Int32("partitions", 0, "partitions that every source topic has or will have; 0 asks the brokers")
	principal := cmd.Flags().String("principal", "", "whom to give the rights to; User: and the SASL user or the application by default")
	s := addSettings(cmd, sys)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, top, err := s.load()
		switch {
		case err != nil:
			return err
		case *format != "table" && *format != "commands":
			return usageError{fmt.Errorf("--format: %q is not one of table, commands", *format)}
		case *partitions < 0:
			return usageError{fmt.Errorf("--partitions: %d is less than 0", *partitions)}
		}
		counts, err := sourcePartitions(cmd.Context(), c, top, *partitions)
		if err != nil {
			return err
		}
		plan, err := needs(c, top, counts)
		if err != nil {
			return err
		}
		if *format == "commands" {
			return plan.Commands(sys.Out, c, cmp.Or(*principal, "User:"+cmp.Or(c.Kafka.SASL.Username, c.Application)))
		}
		return plan.Tables(sys.Out)
	}
	return cmd
}

func needs(c *config.Config, top topologies.Topology, counts map[string]int32) (provision.Plan, error) {
	t, err := top.Build(c.Topics)
	if err != nil {
		return provision.Plan{}, usageError{err}
	}
	topics, err := streams.Topics(t, c.Application, counts)
	if err != nil {
		return provision.Plan{}, err
	}
	return provision.Make(c, topics), nil
}

// sourcePartitions returns the partition counts of the topics that are read: all
// of them n, or what the brokers say.
func sourcePartitions(ctx context.Context, c *config.Config, top topologies.Topology, n int32) (map[string]int32, error) {
	counts := map[string]int32{}
	var names []string
	for _, topic := range top.Topics {
		if name := c.Topics[topic.Part]; topic.Use == topologies.Read {
			counts[name] = n
			names = append(names, name)
		}
	}
	if n > 0 {
		return counts, nil
	}
	client, err := service.Connect(ctx, c.Kafka)
	if err != nil {
		return nil, fmt.Errorf("%w; or set --partitions, and no broker is asked", err)
	}
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(ctx, names...)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if counts[name] = int32(len(topics[name].Partitions)); counts[name] == 0 {
			return nil, fmt.Errorf("topic %q does not exist: create it, or set --partitions to how many it will have", name)
		}
	}
	return counts, nil
}
