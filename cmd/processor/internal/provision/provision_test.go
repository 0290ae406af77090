package provision_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/cmd/processor/internal/provision"
	"github.com/leatstream/leat/pkg/streams"
)

func wordcount() (*config.Config, []streams.TopicNeed) {
	c := config.Default()
	c.Application = "wordcount"
	c.Kafka.Brokers = []string{"a:9092", "b:9092"}
	return c, []streams.TopicNeed{
		{Name: "text-lines", Kind: "source", Partitions: 4},
		{Name: "word-counts", Kind: "sink"},
		{Name: "wordcount-words-repartition", Kind: "repartition", Partitions: 4, Configs: map[string]string{"retention.ms": "-1", "cleanup.policy": "delete"}},
		{Name: "wordcount-counts-changelog", Kind: "changelog", Partitions: 4, Configs: map[string]string{"cleanup.policy": "compact"}},
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	c, needs := wordcount()
	expect(t, func(b *strings.Builder) error { return provision.Make(c, needs).Tables(b) }, `
TOPIC                         KIND          PARTITIONS   CREATED BY   CONFIGURATION
text-lines                    source        4            you
word-counts                   sink          any          you
wordcount-words-repartition   repartition   4            leat         cleanup.policy=delete retention.ms=-1
wordcount-counts-changelog    changelog     4            leat         cleanup.policy=compact

RESOURCE           NAME                          PATTERN    ALLOW                                      FOR
topic              text-lines                    literal    Read                                       input
topic              word-counts                   literal    Write                                      output
topic              wordcount-words-repartition   literal    Read,Write,DescribeConfigs,Delete,Create   repartition
topic              wordcount-counts-changelog    literal    Read,Write,DescribeConfigs,Create          changelog
group              wordcount                     literal    Read                                       membership and committed offsets
transactional-id   wordcount-                    prefixed   Write                                      transactions, an id for each worker of each process
cluster            kafka-cluster                 literal    IdempotentWrite                            idempotent producers

whoever runs `+"`processor reset`"+` needs these, too:
RESOURCE   NAME                         PATTERN   ALLOW    FOR
group      wordcount                    literal   Delete   its offsets
topic      wordcount-counts-changelog   literal   Delete   changelog
`)
}

func TestCommands(t *testing.T) {
	t.Parallel()
	c, needs := wordcount()
	c.InternalTopics.ReplicationFactor = 3
	c.Processing.DeadLetterTopic = "bad"
	c.Kafka.SASL.Mechanism = "PLAIN"
	expect(t, func(b *strings.Builder) error { return provision.Make(c, needs).Commands(b, c, "User:CN=word count") }, `
kafka-topics.sh --bootstrap-server a:9092,b:9092 --command-config client.properties --create --if-not-exists --topic text-lines --partitions 4
kafka-topics.sh --bootstrap-server a:9092,b:9092 --command-config client.properties --create --if-not-exists --topic word-counts
kafka-topics.sh --bootstrap-server a:9092,b:9092 --command-config client.properties --create --if-not-exists --topic wordcount-words-repartition --partitions 4 --replication-factor 3 --config cleanup.policy=delete --config retention.ms=-1
kafka-topics.sh --bootstrap-server a:9092,b:9092 --command-config client.properties --create --if-not-exists --topic wordcount-counts-changelog --partitions 4 --replication-factor 3 --config cleanup.policy=compact
kafka-topics.sh --bootstrap-server a:9092,b:9092 --command-config client.properties --create --if-not-exists --topic bad
kafka-acls.sh --bootstrap-server a:9092,b:9092 --command-config client.properties --add --allow-principal 'User:CN=word count' --operation Read --topic text-lines
kafka-acls.sh --bootstrap-server a:9092,b:9092 --command-config client.properties --add --allow-principal 'User:CN=word count' --operation Write --topic word-counts
kafka-acls.sh --bootstrap-server a:9092,b:9092 --command-config client.properties --add --allow-principal 'User:CN=word count' --operation Read --operation Write --operation DescribeConfigs --operation Delete --operation Create --topic wordcount-words-repartition
kafka-acls.sh --bootstrap-server a:9092,b:9092 --command-config client.properties --add --allow-principal 'User:CN=word count' --operation Read --operation Write --operation DescribeConfigs --operation Create --topic wordcount-counts-changelog
kafka-acls.sh --bootstrap-server a:9092,b:9092 --command-config client.properties --add --allow-principal 'User:CN=word count' --operation Write --topic bad
kafka-acls.sh --bootstrap-server a:9092,b:9092 --command-config client.properties --add --allow-principal 'User:CN=word count' --operation Read --group wordcount
kafka-acls.sh --bootstrap-server a:9092,b:9092 --command-config client.properties --add --allow-principal 'User:CN=word count' --operation Write --transactional-id wordcount- --resource-pattern-type prefixed
kafka-acls.sh --bootstrap-server a:9092,b:9092 --command-config client.properties --add --allow-principal 'User:CN=word count' --operation IdempotentWrite --cluster
# whoever runs `+"`processor reset`"+` needs these, too:
# kafka-acls.sh --bootstrap-server a:9092,b:9092 --command-config client.properties --add --allow-principal 'User:CN=word count' --operation Delete --group wordcount
# kafka-acls.sh --bootstrap-server a:9092,b:9092 --command-config client.properties --add --allow-principal 'User:CN=word count' --operation Delete --topic wordcount-counts-changelog
`)
}

func TestChoices(t *testing.T) {
	t.Parallel()
	c, needs := wordcount()
	c.InternalTopics.Create = false
	c.InternalTopics.Configs = map[string]map[string]string{"wordcount-counts-changelog": {"segment.bytes": "1000"}}
	c.Processing.Guarantee = "at_least_once"
	p := provision.Make(c, append(needs, streams.TopicNeed{Name: "text-lines", Kind: "sink"}))
	for _, r := range p.Rights {
		ops := strings.Join(r.Operations, ",")
		if r.Resource == provision.TransactionalResource || strings.Contains(ops, "Create") {
			t.Errorf("%+v is not needed", r)
		}
		if r.Name == "text-lines" && ops != "Read,Write" {
			t.Errorf("a topic that is read and written: %+v", r)
		}
	}
	if got := p.Topics[3]; got.ByLeat || got.Configs["segment.bytes"] != "1000" {
		t.Errorf("got %+v", got)
	}
}

func TestOpenPartitions(t *testing.T) {
	t.Parallel()
	c, needs := wordcount()
	needs = needs[:3]
	needs[0].Partitions, needs[2].Partitions = provision.AsInput, provision.AsInput
	var table, commands strings.Builder
	p := provision.Make(c, needs)
	if err := errors.Join(p.Tables(&table), p.Commands(&commands, c, "User:x")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\ntext-lines                    source        any ", "repartition   as input "} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, &table)
		}
	}
	got := commands.String()
	if !strings.HasPrefix(got, ": \"${PARTITIONS:?") || strings.Count(got, ` --partitions "$PARTITIONS"`) != 2 {
		t.Errorf("got\n%s", got)
	}
}

// expect compares what is printed with want.
func expect(t *testing.T, print func(*strings.Builder) error, want string) {
	t.Helper()
	var b strings.Builder
	if err := print(&b); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), strings.TrimPrefix(want, "\n"); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}
