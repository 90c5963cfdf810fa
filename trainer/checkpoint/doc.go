// Package checkpoint saves a training run so that it can go on elsewhere, bit
// for bit as if it had never stopped.
//
// A checkpoint is two artifacts and a record in the store (storage.Checkpoint).
// The weights are a safetensors file that anybody can read: the network's
// parameters, and with them the statistics of the inputs, so that the file can
// predict by itself. The state, also safetensors, is what only a resumed run
// needs: the optimiser's velocity, what a recurrent network carries between minibatches and, as JSON in its metadata, a [State].
//
// Weights hold nothing but numbers that follow from the trial: no time, no host,
// no attempt. Two runs of one trial write the same bytes, and so the same key.
//
// What is in a snapshot is the trainer's business (package trainer); where the
// objects lie and how they are committed is the store's (package storage). Start
// reading at snapshot.go.
package checkpoint
