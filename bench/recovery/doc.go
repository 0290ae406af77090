// Package recovery measures how long a service stands still when its processes come, go and die, and how fast it
// restores its state: leat beside Kafka Streams, which do the same work on the same broker. It is run by `make
// bench-rebalance` and `make bench-restore`.
package recovery
