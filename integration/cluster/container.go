package cluster

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"github.com/moby/moby/api/types/container"
	mobynet "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/network"
)

// A broker in a container listens at these ports for clients of the host.
const (
	clientPort  = "9092/tcp"
	proxiedPort = "9095/tcp"
)

// A contained is a broker in a container.
type contained struct {
	docker *testcontainers.DockerClient
	create []testcontainers.ContainerCustomizer
	c      *testcontainers.DockerContainer // nil until the first start
}

func newContainers(ctx context.Context, o Options) (*Cluster, error) {
	docker, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	removeOrphans(ctx, docker)
	ports, err := freePorts(2 * o.Brokers)
	if err != nil {
		return nil, err
	}
	nw, err := network.New(ctx, network.WithLabels(owned()))
	if err != nil {
		return nil, err
	}
	c := &Cluster{Mode: modeContainer + " " + image, free: func() {
		nw.Remove(context.Background())
		docker.Close()
	}}
	nodes := make([]layout, o.Brokers)
	for i := range nodes {
		seed, behind := fmt.Sprintf("%s:%d", dockerHost(), ports[2*i]), fmt.Sprintf("%s:%d", dockerHost(), ports[2*i+1])
		nodes[i] = layout{
			bind: map[string]string{"CLIENT": ":9092", "PROXIED": ":9095", "BROKER": ":9093", "CONTROLLER": ":9094"},
			advertised: map[string]string{
				"CLIENT": seed, "PROXIED": o.proxied(i, behind), "BROKER": hostname(i) + ":9093", "CONTROLLER": hostname(i) + ":9094",
			},
		}
		c.Seeds = append(c.Seeds, seed)
		c.Behind = append(c.Behind, behind)
	}
	for i := range nodes {
		c.nodes = append(c.nodes, &contained{docker: docker, create: []testcontainers.ContainerCustomizer{
			network.WithNetwork([]string{hostname(i)}, nw),
			testcontainers.WithLabels(owned()),
			testcontainers.WithEnv(environment(o.properties(i, nodes))),
			testcontainers.WithExposedPorts(clientPort, proxiedPort),
			testcontainers.WithHostConfigModifier(publish(ports[2*i], ports[2*i+1])),
		}})
	}
	return c, nil
}

// connect returns docker's client. testcontainers' own guard against left-over containers is off: it is one more image,
// which a machine without a registry does not have; removeOrphans does its work.
func connect(ctx context.Context) (*testcontainers.DockerClient, error) {
	os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	log.SetDefault(log.NewNoopLogger())
	return testcontainers.NewDockerClientWithOpts(ctx)
}

func hostname(i int) string { return fmt.Sprintf("kafka-%d", nodeID(i)) }

// dockerHost is where docker publishes ports. testcontainers would guess another one where the tests themselves run in
// something that looks like a container.
func dockerHost() string {
	if host := os.Getenv("TESTCONTAINERS_HOST_OVERRIDE"); host != "" {
		return host
	}
	return "127.0.0.1"
}

// publish fixes the ports of the host: docker would choose others at each start.
func publish(client, proxied int) func(*container.HostConfig) {
	bind := func(port int) []mobynet.PortBinding {
		b := mobynet.PortBinding{HostPort: fmt.Sprint(port)}
		if ip, err := netip.ParseAddr(dockerHost()); err == nil && ip.IsLoopback() {
			b.HostIP = ip
		}
		return []mobynet.PortBinding{b}
	}
	return func(h *container.HostConfig) {
		h.PortBindings = mobynet.PortMap{
			mobynet.MustParsePort(clientPort):  bind(client),
			mobynet.MustParsePort(proxiedPort): bind(proxied),
		}
	}
}

// environment spells properties as the image wants them.
func environment(properties map[string]string) map[string]string {
	spell := strings.NewReplacer(".", "_", "_", "__", "-", "___")
	env := map[string]string{"KAFKA_HEAP_OPTS": heap}
	for k, v := range properties {
		env["KAFKA_"+strings.ToUpper(spell.Replace(k))] = v
	}
	return env
}

func (n *contained) start(ctx context.Context) (err error) {
	if n.c != nil {
		_, err = n.docker.ContainerStart(ctx, n.c.ID, client.ContainerStartOptions{})
		return err
	}
	n.c, err = testcontainers.Run(ctx, image, n.create...)
	return err
}

func (n *contained) signal(ctx context.Context, s syscall.Signal) (err error) {
	switch s {
	case syscall.SIGSTOP:
		err = n.pause(ctx)
	case syscall.SIGCONT:
		_, err = n.docker.ContainerUnpause(ctx, n.c.ID, client.ContainerUnpauseOptions{})
	default:
		_, err = n.docker.ContainerKill(ctx, n.c.ID, client.ContainerKillOptions{Signal: "KILL"})
	}
	return err
}

// pause tries more than once: on a busy machine the kernel may not freeze all threads in the time that docker gives it.
func (n *contained) pause(ctx context.Context) (err error) {
	for range 10 {
		if _, err = n.docker.ContainerPause(ctx, n.c.ID, client.ContainerPauseOptions{}); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func (n *contained) state(ctx context.Context) (running bool, log string) {
	state, err := n.c.State(ctx)
	if err != nil {
		return false, err.Error()
	}
	logs, err := n.c.Logs(ctx)
	if err != nil {
		return state.Running, err.Error()
	}
	defer logs.Close()
	text, _ := io.ReadAll(logs)
	return state.Running, tail(text)
}

func (n *contained) remove(ctx context.Context) {
	if n.c != nil {
		n.docker.ContainerRemove(ctx, n.c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	}
}
