package cluster

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// A process is a broker that runs the jars on this machine.
type process struct {
	dir  string // its properties, its log, its data
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
}

func newProcesses(_ context.Context, o Options) (*Cluster, error) {
	ports, err := freePorts(o.Brokers * len(listeners))
	if err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp("", "leat-kafka-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{Mode: modeProcess + " " + version, free: func() { os.RemoveAll(root) }}
	nodes := make([]layout, o.Brokers)
	for i := range nodes {
		at := make(map[string]string)
		for j, l := range listeners {
			at[l] = fmt.Sprintf("127.0.0.1:%d", ports[i*len(listeners)+j])
		}
		nodes[i] = layout{bind: at, advertised: maps.Clone(at)}
		nodes[i].advertised["PROXIED"] = o.proxied(i, at["PROXIED"])
		c.Seeds = append(c.Seeds, at["CLIENT"])
		c.Behind = append(c.Behind, at["PROXIED"])
	}
	for i := range nodes {
		p := &process{dir: filepath.Join(root, fmt.Sprint(nodeID(i)))}
		if err := p.configure(o.properties(i, nodes)); err != nil {
			c.free()
			return nil, err
		}
		c.nodes = append(c.nodes, p)
	}
	return c, nil
}

func (p *process) configure(properties map[string]string) error {
	lines := fmt.Appendln(nil, "log.dirs="+filepath.Join(p.dir, "data"))
	for k, v := range properties {
		lines = fmt.Appendln(lines, k+"="+v)
	}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(p.properties(), lines, 0o644)
}

func (p *process) properties() string { return filepath.Join(p.dir, "server.properties") }
func (p *process) log() string        { return filepath.Join(p.dir, "server.log") }

func (p *process) start(context.Context) error {
	script, err := script("broker.sh")
	if err != nil {
		return err
	}
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(script, p.properties())
	cmd.Env = append(os.Environ(), "KAFKA_HEAP_OPTS="+heap)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	p.cmd, p.done = cmd, done
	go func() { // ends with the process, which remove kills
		defer close(done)
		cmd.Wait()
	}()
	return nil
}

func (p *process) signal(ctx context.Context, s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil || s != syscall.SIGKILL {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *process) state(context.Context) (running bool, log string) {
	text, err := os.ReadFile(p.log())
	if err != nil {
		text = []byte(err.Error())
	}
	select {
	case <-p.done:
		return false, tail(text)
	default:
		return true, tail(text)
	}
}

func (p *process) remove(ctx context.Context) {
	if p.cmd != nil {
		p.signal(ctx, syscall.SIGKILL) // it may have ended by itself
	}
}
