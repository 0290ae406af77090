package cli

import (
	"strings"
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

// A secured broker lets "leat" do what `processor topics` says that the word count needs,
// and "operator" what a reset needs, too.
type secured struct {
	*testing.T
	cluster *kfake.Cluster
	address string
}

func newSecured(t *testing.T) secured {
	t.Helper()
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
	plan := provision.Make(c, needs)
	b, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "text-lines", "word-counts"), kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser("PLAIN", "root", "root"), kfake.User("PLAIN", "leat", "leat", acls(t, plan.Rights)...),
		kfake.User("PLAIN", "operator", "operator", acls(t, append(plan.Rights, plan.Reset...))...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return secured{t, b, b.ListenAddrs()[0]}
}

// as are the flags of a command that a user runs.
func (s secured) as(user string) []string {
	return []string{"-c", configs + "wordcount.yaml", "--kafka.brokers=" + s.address, "--kafka.sasl.mechanism=PLAIN",
		"--kafka.sasl.username=" + user, "--kafka.sasl.password=" + user}
}

// count writes a word, and waits until it is counted so often.
func (s secured) count(word string, want byte) {
	s.Helper()
	root := client(s.T, s.address, kgo.SASL(plain.Auth{User: "root", Pass: "root"}.AsMechanism()),
		kgo.ConsumeTopics("word-counts"), kgo.DefaultProduceTopic("text-lines"))
	if err := root.ProduceSync(s.Context(), kgo.StringRecord(word)).FirstErr(); err != nil {
		s.Fatal(err)
	}
	for got := byte(0); got < want; {
		poll(s.T, root, func(r *kgo.Record) {
			if got = r.Value[7]; string(r.Key) != word {
				s.Errorf("got %q", r.Key)
			}
		})
	}
}

// TestRightsSuffice runs a service as a user that has the rights that `processor
// topics` prints, and no others.
func TestRightsSuffice(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	start(t, s.as("leat")...)
	s.count("hello", 1)
}

// TestRightsOfReset resets a service as a user that may not, which changes nothing, and as
// one that has the rights that are printed for it.
func TestRightsOfReset(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	p := start(t, s.as("leat")...)
	s.count("hello", 1)
	p.stop()
	p.wait()
	reset := func(user string) result {
		return call(t, append([]string{"reset", "--execute", "--state.dir=" + t.TempDir()}, s.as(user)...)...)
	}
	r := reset("leat")
	for _, want := range []string{"group wordcount", "topic wordcount-counts-changelog", "may not DELETE", "nothing has been done"} {
		if r.code != exitFailed || !strings.Contains(r.err, want) {
			t.Errorf("without the rights: %+v lacks %s", r, want)
		}
	}
	p = start(t, s.as("leat")...)
	s.count("hello", 2)
	p.stop()
	p.wait()
	if r := reset("operator"); r.code != exitOK {
		t.Fatalf("with the rights: %+v", r)
	}
	if s.cluster.TopicInfo("wordcount-counts-changelog") != nil {
		t.Error("the changelog is still there")
	}
}
