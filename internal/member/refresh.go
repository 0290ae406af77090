package member

import (
	"net"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A refresher is a client hook that has the client ask who the brokers are when a
// connection ends. kgo goes on with the coordinator that it has found until that
// refuses a connection; but it looks for another when it learns that the broker is
// none of the cluster's any more. One that is dead behind a proxy, or hangs, refuses
// nothing.
type refresher struct{ cl *kgo.Client }

// OnNewClient implements kgo.HookNewClient. It is called before there are
// connections.
func (r *refresher) OnNewClient(cl *kgo.Client) { r.cl = cl }

// OnBrokerDisconnect implements kgo.HookBrokerDisconnect. It does not block.
func (r *refresher) OnBrokerDisconnect(kgo.BrokerMetadata, net.Conn) { r.cl.ForceMetadataRefresh() }
