package ops

import (
	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ErrorCount counts the labels whose logit is not the largest of their classes.
type ErrorCount struct{ common }

// Errors returns the node of the number of labels predicted wrongly, a scalar, for
// logits and labels as [CrossEntropy] has them. Of equal logits the first counts as the
// largest, and logits with a NaN are wrong.
func Errors(logits, labels *gorgonia.Node) (*gorgonia.Node, error) {
	return gorgonia.ApplyOp(ErrorCount{common{"errors", 2}}, logits, labels)
}

// Type is matrix, labels → scalar.
func (ErrorCount) Type() hm.Type {
	return hm.NewFnType(matrix(), vectorOf(tensor.Int32), element)
}

// InferShape returns the shape of a scalar.
func (op ErrorCount) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	return labelled(op, in)
}

// Do is the reference.
func (op ErrorCount) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(tensor.Shape) (gorgonia.Value, error) { return errorCount[float32](op, in) },
		func(tensor.Shape) (gorgonia.Value, error) { return errorCount[float64](op, in) })
}

func errorCount[T float](op ErrorCount, in []gorgonia.Value) (gorgonia.Value, error) {
	x, labels, err := logitsAndLabels[T](op, in)
	if err != nil {
		return nil, err
	}
	classes := len(x) / len(labels)
	wrong := 0
	for i, label := range labels {
		if !Correct(x[i*classes:(i+1)*classes], int(label)) {
			wrong++
		}
	}
	return newScalar[T](float64(wrong)), nil
}

// Correct reports whether label is where the row has its largest number: larger
// than all before it and no smaller than those after it. Comparisons with NaN
// are false, so a row with one is never correct.
func Correct[T float](row []T, label int) bool {
	v := row[label]
	for i, u := range row {
		if ahead := v > u || i >= label && v >= u; !ahead {
			return false
		}
	}
	return true
}
