// Package engine runs Gorgonia graphs. Models are written and differentiated in
// Gorgonia; [Compile] turns such a graph into a [Plan], a flat list of
// instructions in which every value has its place in memory, and a [Backend]
// makes it executable. Values that are parts of others take no instruction and no
// memory: they are views (see [Selector]). The result, a [Program], is a gorgonia.VM that allocates
// nothing while it runs.
//
// Here live the walk over the graph, the planning of memory and the interfaces of
// backends. Operations live in trainer/ops, kernels in engine/cpu; this package
// knows neither. Start reading at [Compile], then [Backend].
package engine
