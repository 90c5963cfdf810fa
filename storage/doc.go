// Package storage is the store: where specs, checkpoints, predictions and
// results are kept, under which keys, and what may be relied on.
//
// A [Store] gives the objects their meaning on top of a small
// [backend.Backend], which only moves bytes: storage/file for folders,
// storage/s3 for buckets, storage/mem for tests. Three rules carry everything:
//
//   - a result is committed once, by [Store.CommitResult], and is the only truth
//     about a finished run;
//   - an artifact's key holds its SHA-256 ([Store.PutArtifact]), so that writing
//     it again is harmless and nothing is ever overwritten;
//   - a checkpoint exists with its record, which is written last
//     ([Store.PutCheckpoint]).
//
// Start reading at store.go for the calls and at layout.go for the keys;
// docs/store.md explains both to users. What the objects are used for is no
// business of this package, and neither is what is in weights or predictions.
package storage
