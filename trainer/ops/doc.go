// Package ops holds the operations that networks are written in: few and fused, so
// that a network is a graph of a dozen nodes. Each is a Gorgonia Op with a
// hand-written symbolic gradient (SDOp) made of operations of this package.
//
// Their Do methods are the reference: plain loops that accumulate in float64 and
// allocate their results. Gorgonia's machines run them, tests compare against
// them, and nothing else should; the fast kernels are the backends' (engine/cpu).
// Every operation works in float32 and float64.
//
// Models use the functions that make nodes: [Dense], [Conv], [MaxPool], [Dropout]; for
// sequences [TimeMajor], [BatchMajor], [Rows], [Lookup], [LSTM], [RNN]; and [CrossEntropy],
// [SquaredError], [Softmax], [Errors]. Backends switch on the operations' types.
package ops
