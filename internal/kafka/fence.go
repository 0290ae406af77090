package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fence initialises transactional ids: their open transactions are aborted, and
// producers that still use the ids can write no more. When it returns nil all
// of the markers are written. txnTimeout is that of the ids' producers. All ids
// are tried, at the same time; ids that were never used are fenced all the same.
func Fence(ctx context.Context, cl *kgo.Client, ids []string, txnTimeout time.Duration) error {
	errs := make([]error, len(ids))
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			at := &coordinator{}
			if err := retry(ctx, transient, func() error { return at.heed(fence(ctx, cl, at, id, txnTimeout)) }); err != nil {
				errs[i] = fmt.Errorf("fence transactional id %s: %w", id, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// fence asks once. CONCURRENT_TRANSACTIONS means that an open transaction was
// found and is being aborted.
func fence(ctx context.Context, cl *kgo.Client, at *coordinator, id string, txnTimeout time.Duration) error {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID = &id
	req.TransactionTimeoutMillis = int32(txnTimeout.Milliseconds())
	resp, err := at.ask(ctx, cl, ofTransactions, id, req)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.(*kmsg.InitProducerIDResponse).ErrorCode)
}
