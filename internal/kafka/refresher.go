package kafka

import (
	"net"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A Refresher is a client hook that has the client ask who the brokers are when a
// connection ends; each client needs one of its own. kgo goes on with the coordinator
// that it has found until that refuses a connection; but it looks for another when it
// learns that the broker is none of the cluster's any more. One that is dead behind a
// proxy, or hangs, refuses nothing.
type Refresher struct{ cl *kgo.Client }

// OnNewClient implements kgo.HookNewClient. It is called before there are
// connections.
func (r *Refresher) OnNewClient(cl *kgo.Client) { r.cl = cl }

// OnBrokerDisconnect implements kgo.HookBrokerDisconnect. It does not block.
func (r *Refresher) OnBrokerDisconnect(kgo.BrokerMetadata, net.Conn) { r.cl.ForceMetadataRefresh() }
