package provision

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/leatstream/leat/cmd/processor/internal/config"
)

// Tables prints the plan for people.
func (p Plan) Tables(out io.Writer) error {
	topics := [][]string{{"TOPIC", "KIND", "PARTITIONS", "CREATED BY", "CONFIGURATION"}}
	for _, t := range p.Topics {
		by := "you"
		if t.ByLeat {
			by = "leat"
		}
		topics = append(topics, []string{t.Name, t.Kind, t.partitions(), by, strings.Join(t.configs(), " ")})
	}
	if err := table(out, topics); err != nil {
		return err
	}
	fmt.Fprintln(out)
	if err := table(out, rows(p.Rights)); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s:\n", resetNeeds)
	return table(out, rows(p.Reset))
}

// resetNeeds stands above the rights that only a reset needs.
const resetNeeds = "whoever runs `processor reset` needs these, too"

func rows(rights []Right) [][]string {
	rows := [][]string{{"RESOURCE", "NAME", "PATTERN", "ALLOW", "FOR"}}
	for _, r := range rights {
		pattern := "literal"
		if r.Prefixed {
			pattern = "prefixed"
		}
		rows = append(rows, []string{string(r.Resource), r.Name, pattern, strings.Join(r.Operations, ","), r.Why})
	}
	return rows
}

func table(out io.Writer, rows [][]string) error {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

func (t Topic) partitions() string {
	switch {
	case t.Partitions == 0, t.Partitions == AsInput && t.Kind == "source":
		return "any"
	case t.Partitions == AsInput:
		return "as input"
	}
	return strconv.Itoa(int(t.Partitions))
}

func (t Topic) configs() (kvs []string) {
	for _, k := range slices.Sorted(maps.Keys(t.Configs)) {
		kvs = append(kvs, k+"="+t.Configs[k])
	}
	return kvs
}

// Commands prints the plan as calls of Kafka's own tools, for a shell. The rights
// are given to principal; those that only a reset needs are comments.
func (p Plan) Commands(out io.Writer, c *config.Config, principal string) error {
	common := " --bootstrap-server " + quote(strings.Join(c.Kafka.Brokers, ","))
	if c.Kafka.TLS.Enabled || c.Kafka.SASL.Mechanism != "" {
		common += " --command-config client.properties"
	}
	var b strings.Builder
	if slices.ContainsFunc(p.Topics, func(t Topic) bool { return t.Partitions == AsInput }) {
		b.WriteString(": \"${PARTITIONS:?set it to the number of partitions of the input}\"\n")
	}
	for _, t := range p.Topics {
		b.WriteString("kafka-topics.sh" + common + t.command(c.InternalTopics.ReplicationFactor) + "\n")
	}
	for _, r := range p.Rights {
		b.WriteString("kafka-acls.sh" + common + r.command(principal) + "\n")
	}
	b.WriteString("# " + resetNeeds + ":\n")
	for _, r := range p.Reset {
		b.WriteString("# kafka-acls.sh" + common + r.command(principal) + "\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (t Topic) command(replicas int) string {
	s := " --create --if-not-exists --topic " + quote(t.Name)
	switch {
	case t.Partitions > 0:
		s += " --partitions " + strconv.Itoa(int(t.Partitions))
	case t.Partitions == AsInput:
		s += ` --partitions "$PARTITIONS"`
	}
	if replicas > 0 && (t.Kind == "repartition" || t.Kind == "changelog") {
		s += " --replication-factor " + strconv.Itoa(replicas)
	}
	for _, kv := range t.configs() {
		s += " --config " + quote(kv)
	}
	return s
}

func (r Right) command(principal string) string {
	s := " --add --allow-principal " + quote(principal)
	for _, op := range r.Operations {
		s += " --operation " + op
	}
	if r.Resource == ClusterResource {
		return s + " --cluster"
	}
	s += " --" + string(r.Resource) + " " + quote(r.Name)
	if r.Prefixed {
		s += " --resource-pattern-type prefixed"
	}
	return s
}

// quote makes one word of s for a shell.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.,:=/@", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
