// Package data brings data sets into the store and minibatches out of it.
//
// A data set is imported once ([Import]): from the module cache (MNIST), a
// directory of idx files, a single table (table.go) or text (text.go), a URL, or made
// by a formula (generate.go). From then on it is known by its digest and lies in the
// store, so that a trainer on any node can [Load] it. [Partition] holds out the
// validation cases, a [Standardizer] is fitted on the training cases alone, and
// [Batches] turns cases into the float32 rows that a network eats. [Describe] sums a
// data set up for people.
//
// What a network makes of the rows is in trainer/model. Which data set and how
// many validation cases is the configuration's business (sweeps.Data).
//
// Start reading at import.go, then dataset.go.
package data
