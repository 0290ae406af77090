// Package ratio compares libraries that do the same job by the processor's time they take, and prints
// how many times as long as leat each of the others took. It knows nothing of what they do, and serves
// the benchmarks that are modules of their own.
package ratio
