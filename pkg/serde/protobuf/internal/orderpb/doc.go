// Package orderpb is messages for tests.
package orderpb

//go:generate go run github.com/leatstream/leat/internal/ci/protogen order.proto
