package cli

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/cmd/processor/internal/provision"
	"github.com/leatstream/leat/cmd/processor/internal/topologies"
	"github.com/leatstream/leat/pkg/streams"
)

// acls are rights in the broker's words.
func acls(t *testing.T, rights []provision.Right) (out []kfake.ACL) {
	t.Helper()
	resources := map[provision.Resource]kmsg.ACLResourceType{
		provision.TopicResource: kmsg.ACLResourceTypeTopic, provision.GroupResource: kmsg.ACLResourceTypeGroup,
		provision.TransactionalResource: kmsg.ACLResourceTypeTransactionalId, provision.ClusterResource: kmsg.ACLResourceTypeCluster,
	}
	operations := map[string]kmsg.ACLOperation{
		"Read": kmsg.ACLOperationRead, "Write": kmsg.ACLOperationWrite, "Create": kmsg.ACLOperationCreate, "Delete": kmsg.ACLOperationDelete,
		"DescribeConfigs": kmsg.ACLOperationDescribeConfigs, "IdempotentWrite": kmsg.ACLOperationIdempotentWrite,
	}
	for _, r := range rights {
		pattern := kmsg.ACLResourcePatternTypeLiteral
		if r.Prefixed {
			pattern = kmsg.ACLResourcePatternTypePrefixed
		}
		for _, op := range r.Operations {
			if operations[op] == 0 {
				t.Fatalf("no operation %s", op)
			}
			out = append(out, kfake.ACL{Resource: resources[r.Resource], Name: r.Name, Pattern: pattern, Operation: operations[op], Allow: true})
		}
	}
	return out
}

// TestRightsSuffice runs a service as a user that has the rights that `processor
// topics` prints, and no others.
func TestRightsSuffice(t *testing.T) {
	t.Parallel()
	wordcount, _ := topologies.Find("wordcount")
	built, err := wordcount.Build(wordcount.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	needs, err := streams.Topics(built, "wordcount", map[string]int32{"text-lines": 2})
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Application = "wordcount"
	b, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "text-lines", "word-counts"), kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser("PLAIN", "root", "root"), kfake.User("PLAIN", "leat", "leat", acls(t, provision.Make(c, needs).Rights)...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	start(t, "-c", configs+"wordcount.yaml", "--kafka.brokers="+b.ListenAddrs()[0], "--kafka.sasl.mechanism=PLAIN",
		"--kafka.sasl.username=leat", "--kafka.sasl.password=leat")
	root := client(t, b.ListenAddrs()[0], kgo.SASL(plain.Auth{User: "root", Pass: "root"}.AsMechanism()),
		kgo.ConsumeTopics("word-counts"), kgo.DefaultProduceTopic("text-lines"))
	if err := root.ProduceSync(t.Context(), kgo.StringRecord("hello")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	poll(t, root, func(r *kgo.Record) {
		if string(r.Key) != "hello" {
			t.Errorf("got %q", r.Key)
		}
	})
}
