package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Heartbeat asks the group whether it knows who as a member of its present
// generation. OnCommit says what an error asks for. It is asked once.
func (g *Group) Heartbeat(ctx context.Context, cl *kgo.Client, who Identity) error {
	if err := who.check(); err != nil {
		return err
	}
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = g.Name, who.MemberID, who.Generation, who.InstanceID
	resp, err := g.at.ask(ctx, cl, ofGroup, g.Name, req)
	if err == nil {
		err = kerr.ErrorForCode(resp.(*kmsg.HeartbeatResponse).ErrorCode)
	}
	return g.at.heed(err)
}
