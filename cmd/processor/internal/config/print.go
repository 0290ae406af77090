package config

import (
	"log/slog"
	"maps"
	"slices"
)

// LogValue is the effective configuration for a log, every key with its value,
// secrets hidden.
func (c *Config) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, k := range keys(c, nil) {
		attrs = append(attrs, slog.String(k.path, k.String()))
	}
	return slog.GroupValue(append(attrs, topicAttrs(c.Topics)...)...)
}

func topicAttrs(topics map[string]string) (attrs []slog.Attr) {
	for _, part := range slices.Sorted(maps.Keys(topics)) {
		attrs = append(attrs, slog.String("topics."+part, topics[part]))
	}
	return attrs
}
