// Package recipes keeps the sweeps of the folder recipes/ true. Its tests demand
// that each has a small form, derived from the file itself by overrides, and, with
// the build tag recipes, train these forms and check that the claim's direction
// holds: `make recipes-quick`. bench/recipes prints with it what the recipes
// themselves reached.
//
// No figure is asserted to a digit: fixed seeds give the same bits on one machine,
// and other bits where the BLAS is another one.
package recipes
