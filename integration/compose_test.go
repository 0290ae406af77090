package integration

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/integration/cluster"
	"github.com/leatstream/leat/integration/internal/topics"
	"github.com/leatstream/leat/integration/internal/wordcount"
)

// TestCompose: what docker-compose.yml starts, from the image that `make image` builds, counts words, is killed, goes on
// where it was, and stops cleanly.
func TestCompose(t *testing.T) {
	t.Parallel()
	c := startCompose(t)
	f := &fixture{T: t, ctx: c.ctx, topics: topics.Of(t, &cluster.Cluster{Seeds: []string{c.seed}}), rnd: newRand(t), app: "wordcount", in: "text-lines", out: "word-counts"}
	c.awaitReady()
	enough := f.feed(500)
	f.awaitWork()
	c.run("kill", "-s", "KILL", "processor")
	c.run("start", "processor")
	c.awaitReady()
	f.awaitWork()
	f.checkCounts(enough(), wordcount.ExactlyOnce)

	c.run("stop", "processor")
	id := strings.TrimSpace(c.run("ps", "-q", "-a", "processor"))
	if code := strings.TrimSpace(command(t, c.ctx, "docker", "inspect", "-f", "{{.State.ExitCode}}", id)); code != "0" {
		t.Errorf("the processor stopped with exit code %s", code)
	}
}

// awaitWork waits until more is counted than now.
func (f *fixture) awaitWork() {
	f.Helper()
	for before := sum(f.spans(f.out)); sum(f.spans(f.out)).End <= before.End; {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-f.ctx.Done():
			f.Fatal("nothing is counted")
		}
	}
}

// A compose is docker-compose.yml as a project of its own, on free ports.
type compose struct {
	t    *testing.T
	ctx  context.Context
	args []string
	seed string // address of the Kafka
	http string // address of the processor
}

func startCompose(t *testing.T) *compose {
	t.Helper()
	tool := composeTool(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	command(t, ctx, "make", "-C", "..", "image")
	c := &compose{t: t, ctx: ctx, seed: freeAddress(t), http: freeAddress(t)}
	c.args = append(tool, "--project-name", fmt.Sprintf("leat-%d", os.Getpid()), "--project-directory", "..", "--file", c.file())
	t.Cleanup(func() { c.run("down", "--volumes", "--timeout", "2") })
	t.Cleanup(func() {
		c.ctx = context.WithoutCancel(ctx)
		if t.Failed() {
			t.Log(c.run("logs", "--tail=50"))
		}
	})
	c.run("up", "--detach", "processor", "processor-2", "processor-3") // nobody looks at Prometheus here
	return c
}

// composeTool is the command that reads compose files here. A machine without docker or without it skips the test.
func composeTool(t *testing.T) []string {
	t.Helper()
	if mode := cluster.Shared(t).Mode; !strings.HasPrefix(mode, "container") {
		t.Skip("SKIPPED docker-compose.yml: no docker")
	}
	for _, tool := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		if exec.Command(tool[0], append(tool[1:], "version")...).Run() == nil {
			return tool
		}
	}
	t.Skip("SKIPPED docker-compose.yml: neither docker compose nor docker-compose is here")
	return nil
}

// file is a copy of docker-compose.yml with the host's ports changed: those that it names may be in use.
func (c *compose) file() string {
	c.t.Helper()
	text, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		c.t.Fatal(err)
	}
	_, kafka, _ := net.SplitHostPort(c.seed)
	text = regexp.MustCompile(`\b9092\b`).ReplaceAll(text, []byte(kafka))
	text = []byte(strings.Replace(string(text), `"127.0.0.1:8080:`, `"`+c.http+`:`, 1))
	path := filepath.Join(c.t.TempDir(), "docker-compose.yml")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		c.t.Fatal(err)
	}
	return path
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run runs a command of compose, and returns what it prints.
func (c *compose) run(args ...string) string {
	c.t.Helper()
	return command(c.t, c.ctx, c.args[0], append(c.args[1:len(c.args):len(c.args)], args...)...)
}

func command(t *testing.T, ctx context.Context, name string, args ...string) string {
	t.Helper()
	var errs strings.Builder
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, errs.String())
	}
	return string(out)
}

// awaitReady waits until the processor has its tasks.
func (c *compose) awaitReady() {
	c.t.Helper()
	for {
		if resp, err := http.Get("http://" + c.http + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-c.ctx.Done():
			c.t.Fatal("the processor is not ready")
		}
	}
}
