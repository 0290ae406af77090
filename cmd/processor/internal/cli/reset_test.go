package cli

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/embedded"
)

// TestTasksAndReset asks about a service that has never run, and resets it: dry at first.
func TestTasksAndReset(t *testing.T) {
	t.Parallel()
	broker, err := embedded.Start(embedded.Options{Topics: map[string]int32{"text-lines": 2, "word-counts": 2, "wordcount-words-repartition": 2}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	dir := t.TempDir()
	engine := filepath.Join(dir, "engine")
	if err := os.Mkdir(engine, 0o755); err != nil {
		t.Fatal(err)
	}
	with := func(command string, args ...string) result {
		return call(t, append([]string{command, "-c", configs + "wordcount.yaml", "--kafka.brokers=" + strings.Join(broker.Addrs(), ","), "--state.dir=" + dir}, args...)...)
	}
	if r := with("tasks"); r.code != 0 || !strings.Contains(r.out, "0 members") || !strings.Contains(r.out, "\n0_1 ") || !strings.Contains(r.out, " text-lines ") || !strings.Contains(r.out, "\nlag 0\n") {
		t.Errorf("tasks: %+v", r)
	}
	if r := with("reset"); r.code != 0 || strings.Count(r.out, "is deleted") != 2 || !strings.Contains(r.out, "wordcount-words-repartition") || !strings.Contains(r.out, "nothing is done") {
		t.Errorf("dry: %+v", r)
	}
	if _, err := os.Stat(engine); err != nil {
		t.Errorf("what is dry has deleted local state: %v", err)
	}
	if r := with("reset", "--execute"); r.code != 0 || !strings.HasSuffix(r.out, "\ndone\n") {
		t.Errorf("executed: %+v", r)
	}
	if _, err := os.Stat(engine); err == nil {
		t.Error("local state is still there")
	}
	if r := with("reset"); r.code != 0 || strings.Contains(r.out, "deleted") {
		t.Errorf("a second one: %+v", r)
	}
	shape := filepath.Join(dir, "topology.txt") // of a service with its state in memory
	if err := os.WriteFile(shape, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := with("reset", "--execute"); r.code != 0 || !strings.Contains(r.out, shape) {
		t.Errorf("without an engine: %+v", r)
	}
	if _, err := os.Stat(shape); err == nil {
		t.Error("what the topology was is still there")
	}
	with("reset", "--to", "yesterday").expect(t, exitUsage, "neither earliest nor latest")
	with("reset", "--to", "6h", "--delete-offsets").expect(t, exitUsage, "remove one flag")
	with("reset", "--keep-state", "--delete-offsets", "--execute").expect(t, exitUsage, "a start is refused while there is state and no offset")
}

// TestGrownSource resets a service whose internal topics do not fit its source any more:
// starts refuse them and say so, and the next one makes them anew.
func TestGrownSource(t *testing.T) {
	t.Parallel()
	brokers := broker(t, map[string]int32{"text-lines": 4, "word-counts": 2, "wordcount-words-repartition": 2, "wordcount-counts-changelog": 2})
	args := []string{"-c", configs + "wordcount.yaml", "--kafka.brokers=" + brokers}
	if r := start(t, args...).wait(); r.code != exitFailed || strings.Count(r.err, "reset the application") != 2 {
		t.Errorf("it runs, or ended otherwise: %+v", r)
	}
	dir := t.TempDir()
	with := func(args ...string) result {
		return call(t, append(args, "-c", configs+"wordcount.yaml", "--kafka.brokers="+brokers, "--state.dir="+dir)...)
	}
	for _, want := range []string{"wordcount-words-repartition", "wordcount-counts-changelog", "has 2 partitions and needs 4"} {
		if r := with("tasks"); r.code != exitOK || !strings.Contains(r.err, want) || !strings.Contains(r.out, "\n0_3 ") {
			t.Errorf("tasks: %+v lacks %s", r, want)
		}
	}
	if r := with("reset", "--keep-state"); r.code != exitOK || !strings.Contains(r.err, "refused all the same") {
		t.Errorf("offsets alone: %+v", r)
	}
	if r := with("reset"); r.code != exitOK || r.err != "" || strings.Count(r.out, "is deleted") != 2 {
		t.Errorf("dry: %+v", r)
	}
	if r := with("reset", "--execute"); r.code != exitOK || !strings.HasSuffix(r.out, "\ndone\n") {
		t.Fatalf("executed: %+v", r)
	}
	start(t, args...)
	c := client(t, brokers, kgo.ConsumeTopics("word-counts"), kgo.DefaultProduceTopic("text-lines"))
	if err := c.ProduceSync(t.Context(), kgo.StringRecord("hello")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	poll(t, c, func(r *kgo.Record) {
		if string(r.Key) != "hello" {
			t.Errorf("got %q", r.Key)
		}
	})
}
