package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/leatstream/leat/pkg/serde"
)

// A Client asks a registry for schemas and never for the same one twice: schemas do not
// change. It may be used concurrently, and by any number of serdes.
type Client struct {
	sr   *sr.Client
	urls string
	wait time.Duration
	log  *slog.Logger

	ctx   context.Context // ends with Close
	close context.CancelFunc

	mu struct {
		sync.Mutex
		schemas map[string]serde.Schema // by frame without message
	}
}

// New returns a client. It does not connect.
func New(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	cl, err := cfg.client()
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	c := &Client{sr: cl, urls: strings.Join(cfg.URLs, ","), wait: cfg.Wait, log: cfg.Logger.With("registry", cfg.URLs[0])}
	c.ctx, c.close = context.WithCancel(context.Background())
	c.mu.schemas = map[string]serde.Schema{}
	return c, nil
}

// Close ends every wait for the registry, now and later. What is known goes on working.
func (c *Client) Close() { c.close() }

// schema returns the schema that f names.
func (c *Client) schema(f frame) (serde.Schema, error) {
	key := string(f.schema())
	c.mu.Lock()
	s, ok := c.mu.schemas[key]
	c.mu.Unlock()
	if ok {
		return s, nil
	}
	err := c.ask(c.ctx, f.name(), func(ctx context.Context) (err error) {
		var found sr.Schema
		if f[0] == magicGUID {
			var ss sr.SubjectSchema
			ss, err = c.sr.SchemaByGUID(ctx, f.guid())
			found = ss.Schema
		} else {
			found, err = c.sr.SchemaByID(ctx, f.id())
		}
		if err == nil {
			s, err = c.gathering().full(ctx, found, 0)
		}
		return err
	})
	if err != nil {
		return serde.Schema{}, &Error{Schema: f.name(), Registry: c.urls, Err: err}
	}
	c.mu.Lock()
	c.mu.schemas[key] = s
	c.mu.Unlock()
	return s, nil
}

// The pauses between attempts double from the first to the last.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// ask calls do until it gets an answer, for as long as the client waits. Its error wraps
// serde.ErrUnavailable if there was none, or a refusal, of which more of the same is to
// be expected.
func (c *Client) ask(ctx context.Context, what string, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.wait)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := do(ctx)
		if err == nil {
			return nil
		}
		if why := refused(err); why != nil {
			return fmt.Errorf("%w: %w", serde.ErrUnavailable, why)
		}
		if !unanswered(err) {
			return err
		}
		if pause == firstPause {
			c.log.Warn("the schema registry does not answer, and is asked again", "for", what, "err", brief(err))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("%w: no answer within %v: %w", serde.ErrUnavailable, c.wait, brief(err))
		}
	}
}

// A registered schema is one version of a subject.
type registered struct {
	id, version int
	guid        string
}

// find returns the version of a subject that is s: as it is written, or else as same has it.
func (c *Client) find(ctx context.Context, subject string, s serde.Schema, same func(serde.Schema) bool) (r registered, err error) {
	refs, err := c.references(ctx, s, find)
	if err == nil {
		r, err = c.lookup(ctx, subject, s, refs)
	}
	if same == nil || !errors.Is(err, ErrNotRegistered) {
		return r, err
	}
	// What it refers to may be there under other subjects, or within it.
	if r, e := c.search(ctx, subject, same); !errors.Is(e, ErrNotRegistered) {
		return r, e
	}
	return r, err
}

// lookup returns the version of a subject that is s to the letter.
func (c *Client) lookup(ctx context.Context, subject string, s serde.Schema, refs []sr.SchemaReference) (registered, error) {
	found, err := c.sr.LookupSchema(ctx, subject, wire(s, refs))
	if notFound(err) {
		err = ErrNotRegistered
	}
	return registered{found.ID, found.Version, found.GUID}, err
}

// search looks through the versions of a subject, the latest first, for one that is the
// same but for how it is written.
func (c *Client) search(ctx context.Context, subject string, same func(serde.Schema) bool) (r registered, err error) {
	versions, err := c.sr.SubjectVersions(ctx, subject)
	if notFound(err) {
		return r, ErrNotRegistered
	}
	if err != nil {
		return r, err
	}
	g := c.gathering()
	for i := len(versions) - 1; i >= 0; i-- {
		v, err := c.sr.SchemaByVersion(ctx, subject, versions[i])
		if notFound(err) {
			continue // deleted meanwhile
		}
		if err != nil {
			return r, err
		}
		s, err := g.full(ctx, v.Schema, 0)
		if err != nil {
			return r, err
		}
		if same(s) {
			return registered{v.ID, v.Version, v.GUID}, nil
		}
	}
	return r, ErrNotRegistered
}

// register makes s a version of a subject, and what it refers to of subjects named
// after the references.
func (c *Client) register(ctx context.Context, subject string, s serde.Schema) (r registered, err error) {
	refs, err := c.references(ctx, s, register)
	if err != nil {
		return r, err
	}
	return c.create(ctx, subject, s, refs)
}

func (c *Client) create(ctx context.Context, subject string, s serde.Schema, refs []sr.SchemaReference) (r registered, err error) {
	made, err := c.sr.CreateSchema(ctx, subject, wire(s, refs))
	if err != nil {
		return r, err
	}
	c.log.Info("registered a schema", "subject", subject, "version", made.Version, "id", made.ID, "name", s.Name)
	return registered{made.ID, made.Version, made.GUID}, nil
}

// latest returns the latest version of a subject; ok is false if there is no such
// subject.
func (c *Client) latest(ctx context.Context, subject string) (s serde.Schema, r registered, ok bool, err error) {
	v, err := c.sr.SchemaByVersion(ctx, subject, -1)
	if notFound(err) {
		return s, r, false, nil
	}
	if err == nil {
		s, err = c.gathering().full(ctx, v.Schema, 0)
	}
	return s, registered{v.ID, v.Version, v.GUID}, err == nil, err
}

func wire(s serde.Schema, refs []sr.SchemaReference) sr.Schema {
	t := sr.TypeAvro
	switch s.Type {
	case serde.ProtobufSchema:
		t = sr.TypeProtobuf
	case serde.JSONSchema:
		t = sr.TypeJSON
	}
	return sr.Schema{Schema: s.Text, Type: t, References: refs}
}
