package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
)

// allowed finds out what of a plan the brokers would refuse, before anything is done.
func (p *Plan) allowed(ctx context.Context) error {
	a, deletes := p.app, len(p.Topics) > 0
	needs := map[string][]kadm.ACLOperation{}
	for _, m := range p.inputs {
		needs[m.Topic] = []kadm.ACLOperation{kadm.OpRead} // to set its offsets, or to delete them
		deletes = deletes || m.From >= 0 && m.To < 0
	}
	for _, topic := range p.Topics {
		needs[topic] = append(needs[topic], kadm.OpDelete)
	}
	group, err := a.group(ctx)
	if err != nil {
		return err
	}
	ofGroup := []kadm.ACLOperation{kadm.OpRead}
	if deletes {
		ofGroup = append(ofGroup, kadm.OpDelete)
	}
	refused := lacks("group "+a.Name, group.AuthorizedOperations, ofGroup)
	for _, topic := range a.topics.Names() {
		refused = append(refused, lacks("topic "+topic, a.topics[topic].AuthorizedOperations, needs[topic])...)
	}
	return errors.Join(refused...)
}

// lacks are the operations that are needed and not allowed. Brokers that say nothing of it
// have to be asked by doing it.
func lacks(resource string, allowed, needs []kadm.ACLOperation) (refused []error) {
	for _, op := range needs {
		if len(allowed) > 0 && !slices.Contains(allowed, op) {
			refused = append(refused, fmt.Errorf("%s: this user may not %v: allow it; nothing has been done", resource, op))
		}
	}
	return refused
}
