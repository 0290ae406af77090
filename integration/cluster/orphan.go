package cluster

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// ownerLabel names the process that a container or network belongs to, as host/pid.
const ownerLabel = "com.github.leatstream.owner"

func owned() map[string]string {
	return map[string]string{ownerLabel: fmt.Sprintf("%s%d", thisHost(), os.Getpid())}
}

func thisHost() string {
	name, _ := os.Hostname()
	return name + "/"
}

// removeOrphans removes what test processes of this machine left behind when they ended without a cleanup.
func removeOrphans(ctx context.Context, docker *testcontainers.DockerClient) {
	filter := make(client.Filters).Add("label", ownerLabel)
	containers, _ := docker.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filter})
	for _, c := range containers.Items {
		if orphan(c.Labels) {
			docker.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		}
	}
	networks, _ := docker.NetworkList(ctx, client.NetworkListOptions{Filters: filter})
	for _, n := range networks.Items {
		if orphan(n.Labels) {
			docker.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
		}
	}
}

func orphan(labels map[string]string) bool {
	var pid int
	owner, here := strings.CutPrefix(labels[ownerLabel], thisHost())
	if _, err := fmt.Sscan(owner, &pid); err != nil || !here {
		return false
	}
	return syscall.Kill(pid, 0) == syscall.ESRCH
}
