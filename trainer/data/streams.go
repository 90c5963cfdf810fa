package data

// Streams puts the cases in an order in which row r of every minibatch follows row r
// of the one before: for cases that follow each other in time. They are cut into as
// many streams of consecutive cases as a minibatch has rows, and row r is always from
// stream r. Where they do not divide evenly, the first streams have one case more, so
// the last minibatch has fewer rows.
func (b *Batches) Streams() {
	order := make([]int32, 0, len(b.cases))
	for step := range b.Steps() {
		for row := range min(b.size, len(b.cases)-len(order)) {
			order = append(order, b.cases[b.inStream(step, row)])
		}
	}
	b.order, b.streams = order, true
}

// inStream is the place of a step's row among the cases that are in streams.
func (b *Batches) inStream(step, row int) int {
	each, longer := len(b.cases)/b.size, len(b.cases)%b.size
	return row*each + min(row, longer) + step
}

// Place is where the case in a row of a minibatch is among the cases as they were
// given to [NewBatches]. It does not know the order of Shuffle.
func (b *Batches) Place(step, row int) int {
	if b.streams {
		return b.inStream(step, row)
	}
	return step*b.size + row
}
