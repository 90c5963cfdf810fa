//go:build linux && cluster

package faults

import (
	"math/rand/v2"
	"testing"
	"time"
)

// disturbances is how many there are at least in one run.
const disturbances = 40

// clusterSpec is a sweep of 60 networks on real data. One thread each, so that their bits
// do not depend on where they are trained.
const clusterSpec = `
version: 1
name: cluster
seed: 7
data: {name: mnist, limit: 6000, validation: 1000, std_floor: 1}
model: {kind: mlp, hidden: [128, 64], dropout: {input: 0.1, hidden: 0.2}}
train: {batch_size: 32, epochs: 10}
parameters:
  train.learning_rate: {values: [0.02, 0.04, 0.08]}
  seed: {min: 1, max: 20, scale: linear, count: 20}
parallelism: 6
resources: {cpu: 1}
launcher: %s
retries: {infra: 1000, preempted: 1000}
ensemble: {size: 10}
`

// onNomad gives a lost node back soon enough for a test.
const onNomad = "{kind: nomad, nomad: {lost_after: 20s, kill_timeout: 10s}}"

// TestOnCluster runs one sweep embedded, on a cluster, and on a cluster where something
// breaks every few seconds, and demands the same ensemble of all three.
func TestOnCluster(t *testing.T) {
	local, _ := writeSpec(t, clusterSpec, "{kind: local}")
	begun := time.Now()
	want := embedded(t, local)
	t.Logf("embedded: %.0f s", time.Since(begun).Seconds())
	if len(want.weights) != 60 {
		t.Fatalf("%d results, want 60", len(want.weights))
	}
	spec, id := writeSpec(t, clusterSpec, onNomad)

	t.Run("undisturbed", func(t *testing.T) {
		g := newGround(t, 1)
		begun := time.Now()
		g.follow(t, spec)
		t.Logf("on the cluster: %.0f s", time.Since(begun).Seconds())
		g.check(t, id, want)
	})

	t.Run("disturbed", func(t *testing.T) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed of the disturbances: %d", seed)
		g := newGround(t, seed)
		begun := time.Now()
		if out, err := g.sweep(t.Context(), "submit", spec); err != nil {
			t.Fatalf("sweep submit: %v\n%s", err, out)
		}
		h := newHavoc(t, g, rand.New(rand.NewPCG(seed, 1)))
		for n := range disturbances {
			if ended(t, g, id) {
				t.Fatalf("the sweep ended after %d disturbances; make it longer", n)
			}
			h.wreak()
		}
		h.mend()
		t.Logf("%d disturbances in %.0f s: %v; by the proxy: %v", disturbances, time.Since(begun).Seconds(), h.done, g.proxy.Counts())
		g.follow(t, spec)
		t.Logf("on the cluster: %.0f s", time.Since(begun).Seconds())
		g.check(t, id, want)
	})
}
