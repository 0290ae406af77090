package kafka

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TopicConfigs returns the values of some configurations of topics, by topic and
// name.
func TopicConfigs(ctx context.Context, cl *kgo.Client, topics []string, names ...string) (map[string]map[string]string, error) {
	configs := map[string]map[string]string{}
	if len(topics) == 0 {
		return configs, nil
	}
	req := kmsg.NewPtrDescribeConfigsRequest()
	for _, topic := range topics {
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, names
		req.Resources = append(req.Resources, r)
	}
	err := retry(ctx, transient, func() error {
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		for _, r := range resp.Resources {
			if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
				return fmt.Errorf("%s: %w", r.ResourceName, err)
			}
			found := map[string]string{}
			for _, c := range r.Configs {
				if slices.Contains(names, c.Name) && c.Value != nil {
					found[c.Name] = *c.Value
				}
			}
			configs[r.ResourceName] = found
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("describe configurations: %w", err)
	}
	return configs, nil
}
