package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CleanupPolicies returns cleanup.policy of topics.
func CleanupPolicies(ctx context.Context, cl *kgo.Client, topics []string) (map[string]string, error) {
	policies := map[string]string{}
	if len(topics) == 0 {
		return policies, nil
	}
	req := kmsg.NewPtrDescribeConfigsRequest()
	for _, topic := range topics {
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, []string{"cleanup.policy"}
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
			for _, c := range r.Configs {
				if c.Name == "cleanup.policy" && c.Value != nil {
					policies[r.ResourceName] = *c.Value
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("describe configurations: %w", err)
	}
	return policies, nil
}
