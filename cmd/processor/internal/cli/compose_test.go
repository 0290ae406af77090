package cli

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/cmd/processor/internal/topologies"
)

const root = "../../../../"

// A composeFile is what of docker-compose.yml concerns the processor.
type composeFile struct {
	Services map[string]struct {
		Image       string
		PullPolicy  string `yaml:"pull_policy"`
		Command     []string
		Environment map[string]string
		Ports       []string
		Volumes     []string
	}
	Volumes map[string]any
}

// TestComposeFile: what docker-compose.yml tells the processor is what that
// understands, and fits the Kafka, the topics and the image beside it.
func TestComposeFile(t *testing.T) {
	t.Parallel()
	var f composeFile
	if err := yaml.Unmarshal([]byte(read(t, "docker-compose.yml")), &f); err != nil {
		t.Fatal(err)
	}
	p, kafka := f.Services["processor"], f.Services["kafka"]
	c := configured(t, p.Command, p.Environment, p.Volumes)

	if want := "DOCKER://" + c.Kafka.Brokers[0]; !slices.Contains(strings.Split(kafka.Environment["KAFKA_ADVERTISED_LISTENERS"], ","), want) {
		t.Errorf("Kafka does not advertise %s", want)
	}
	states := map[string]bool{}
	for _, name := range []string{"processor", "processor-2", "processor-3"} {
		replica := f.Services[name]
		if replica.Image != p.Image || replica.PullPolicy != "never" {
			t.Errorf("%s may run %s of somebody else", name, replica.Image)
		}
		other := configured(t, replica.Command, replica.Environment, replica.Volumes)
		if other.Application != c.Application || !slices.Contains(strings.Split(read(t, "deploy/prometheus/prometheus.yml"), `"`), name+":8080") {
			t.Errorf("%s is not a replica that is watched", name)
		}
		for _, v := range replica.Volumes {
			if volume, ok := strings.CutSuffix(v, ":"+c.State.Dir); ok {
				if _, declared := f.Volumes[volume]; !declared || states[volume] {
					t.Errorf("%s has the volume %s, as another has, or there is none", name, volume)
				}
				states[volume] = true
			}
		}
	}
	if len(states) != 3 {
		t.Errorf("%d replicas have state", len(states))
	}
	entry, _ := topologies.Find(c.Topology)
	created := strings.Fields(strings.ReplaceAll(strings.Join(f.Services["topics"].Command, " "), ";", " "))
	for _, topic := range entry.Topics {
		if name := c.Topics[topic.Part]; !slices.Contains(created, name) {
			t.Errorf("no service creates %s", name)
		}
	}
	port := c.HTTP.Listen[strings.LastIndex(c.HTTP.Listen, ":"):]
	if !slices.ContainsFunc(p.Ports, func(published string) bool { return strings.HasSuffix(published, port) }) {
		t.Errorf("%s is not published", port)
	}
	if !slices.Contains(p.Volumes, "processor-state:"+c.State.Dir) {
		t.Errorf("%s is not a volume", c.State.Dir)
	}
	expectIn(t, "Dockerfile", "VOLUME "+c.State.Dir+"\n", `ENTRYPOINT ["/processor"]`)
	expectIn(t, "Makefile", "docker build --tag "+p.Image+" .", "bin/image/{etc/ssl/certs,tmp,"+c.State.Dir[1:]+"}")
	expectIn(t, "docs/operations.md", "\n`make image && docker compose up` ")
	expectIn(t, "integration/kafka/env.sh", "KAFKA_VERSION="+strings.TrimPrefix(kafka.Image, "apache/kafka:")+"\n")
}

// TestDashboard: what the dashboard asks for is documented, and so there.
func TestDashboard(t *testing.T) {
	t.Parallel()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "deploy/grafana/dashboards/leat.json")), &board); err != nil || len(board.Panels) == 0 {
		t.Fatal(len(board.Panels), err)
	}
	documented := read(t, "docs/operations.md")
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			for _, name := range regexp.MustCompile(`leat_[a-z_]+`).FindAllString(target.Expr, -1) {
				if !strings.Contains(documented, "`"+strings.TrimSuffix(name, "_bucket")+"`") {
					t.Errorf("%s: %s is not in docs/operations.md", p.Title, name)
				}
			}
		}
	}
}

// configured is the configuration that a container's command and environment make.
func configured(t *testing.T, command []string, environment map[string]string, volumes []string) *config.Config {
	t.Helper()
	if len(command) != 3 || command[0] != "run" || command[1] != "--config" {
		t.Fatalf("command %q", command)
	}
	var env []string
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		env = append(env, name+"="+environment[name])
	}
	if limit, set := environment["GOMEMLIMIT"]; set {
		t.Errorf("GOMEMLIMIT of %s switches memory.budget off", limit)
	}
	if stray := config.StrayEnv(catalog(), env); len(stray) > 0 {
		t.Errorf("%q set nothing", stray)
	}
	for _, v := range volumes {
		if host, ok := strings.CutSuffix(v, ":"+command[2]+":ro"); ok {
			c, err := config.Load(catalog(), config.Sources{File: root + host, Env: env})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
	}
	t.Fatalf("%s is not mounted", command[2])
	return nil
}

func expectIn(t *testing.T, file string, wants ...string) {
	t.Helper()
	text := read(t, file)
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%s does not say %q", file, want)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(root + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
