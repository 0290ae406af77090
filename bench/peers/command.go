package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/leatstream/leat/bench/peers/internal/report"
	"github.com/leatstream/leat/bench/peers/internal/trial"
)

// command is the program that v is, with its arguments.
func (c *contest) command(v variant, t *trial.Trial, runs report.Round) (path string, args []string, err error) {
	switch v.program {
	case leat:
		return c.self, c.profile(c.leat(v, t), t), nil
	case example:
		return c.example, []string{"-query", v.work, "-brokers", c.broker.Address, "-application", t.Application, "-dir", filepath.Join(c.dir, t.Application)}, nil
	case bareLoop:
		args := []string{programBare, "-brokers", c.broker.Address, "-application", t.Application, "-in", t.In.Topic(), "-out", t.Out,
			"-workers", fmt.Sprint(runtime.NumCPU())}
		if v.work != "copy" {
			args = append(args, "-changelog", t.Application+"-changelog")
		}
		return c.self, c.profile(args, t), nil
	default:
		args, err := c.java(v, t, runs)
		return "java", args, err
	}
}

// profile adds where a program is to write its profiles, if anywhere.
func (c *contest) profile(args []string, t *trial.Trial) []string {
	if c.profiles == "" {
		return args
	}
	return append(args, "-cpuprofile", filepath.Join(c.profiles, t.Application+"-"+args[0]))
}

func (c *contest) leat(v variant, t *trial.Trial) []string {
	args := []string{
		programLeat, "-brokers", c.broker.Address, "-application", t.Application, "-job", v.work,
		"-in", t.In.Topic(), "-out", t.Out, "-dir", filepath.Join(c.dir, t.Application),
		fmt.Sprintf("-memory=%t", v.memory), fmt.Sprintf("-budget=%d", v.budget), fmt.Sprintf("-held=%d", v.held), fmt.Sprintf("-engine=%d", v.engine), fmt.Sprintf("-reads=%t", v.reads),
	}
	if v.table > 0 {
		args = append(args, "-table", v.rows().Topic())
	}
	return args
}

// heap is what Kafka Streams may use where nothing else is said.
const heap = 2 << 30

func (c *contest) java(v variant, t *trial.Trial, runs report.Round) ([]string, error) {
	args := []string{fmt.Sprintf("-Xmx%d", int64(heap))}
	table, limit := "none", v.capBytes
	settings := append([]string{
		"application.id=" + t.Application, "bootstrap.servers=" + c.broker.Address, "processing.guarantee=exactly_once_v2",
		fmt.Sprintf("num.stream.threads=%d", runtime.NumCPU()), "auto.offset.reset=earliest", "replication.factor=1",
		"state.dir=" + filepath.Join(c.dir, t.Application),
	}, v.settings...)
	if v.table > 0 {
		table = v.rows().Topic()
	}
	if v.capTo != "" {
		other, ok := runs[v.capTo]
		if !ok {
			return nil, fmt.Errorf("%s has not run yet", v.capTo)
		}
		limit = int64(other[trial.Peak] * 1e6)
	}
	if limit > 0 { // of it, a third or so is neither heap nor RocksDB's
		args = []string{fmt.Sprintf("-Xmx%d", max(limit*2/5, 96<<20)), fmt.Sprintf("-Drocks.bytes=%d", limit/4)}
		settings = append(settings, "rocksdb.config.setter=BoundedRocks")
	}
	args = append(args, "-cp", c.classpath, "Peer", v.work, t.In.Topic(), table, t.Out)
	return append(args, settings...), nil
}

// machine describes where this runs.
func machine() string {
	model := "unknown processor"
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	memory := ""
	text, _ = os.ReadFile("/proc/meminfo")
	if fields := strings.Fields(string(text)); len(fields) > 1 {
		var kb int64
		fmt.Sscan(fields[1], &kb)
		memory = fmt.Sprintf(", %d GB", kb>>20)
	}
	return fmt.Sprintf("%d CPUs of an %s%s, %s, the broker on the same", runtime.NumCPU(), model, memory, runtime.GOOS)
}

func versions(withStreams bool) string {
	text := "Kafka 4.3.1"
	if withStreams {
		text += ", Kafka Streams 4.3.1"
	}
	text += ", " + runtime.Version()
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return text
	}
	for _, dep := range info.Deps {
		if dep.Path == "github.com/twmb/franz-go" {
			text += ", franz-go " + dep.Version
		}
	}
	if commit, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		text += ", leat " + strings.TrimSpace(string(commit))
	}
	return text
}

// settings describes what the sides work on, and how.
func settings(side []variant) string {
	in := side[0].input
	text := fmt.Sprintf("%d events; exactly once; %d threads or workers each", side[0].events, runtime.NumCPU())
	if side[0].events == 0 {
		text = fmt.Sprintf("%d records of %d bytes, %d keys, %d partitions; exactly once; %d threads or workers each", in.Records, in.ValueBytes, in.Keys, in.Partitions, runtime.NumCPU())
	}
	for _, v := range side {
		if v.program == streams {
			text += fmt.Sprintf("; %s: %s", v.label, strings.Join(append(v.settings, "otherwise its defaults"), ", "))
		}
	}
	return text
}
