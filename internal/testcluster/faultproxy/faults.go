package faultproxy

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Fault is one kind of misbehaviour.
type Fault string

// The faults.
const (
	// None serves the request.
	None Fault = ""
	// InternalError answers 500 and does nothing.
	InternalError Fault = "internal_error"
	// SlowDown answers 503 SlowDown and does nothing.
	SlowDown Fault = "slow_down"
	// ResetRequest sends a part of the request on and then breaks both connections.
	ResetRequest Fault = "reset_request"
	// LostAnswer has the request served and breaks the connection instead of answering.
	LostAnswer Fault = "lost_answer"
	// FalseError has the request served and answers 500.
	FalseError Fault = "false_error"
	// ResetAnswer breaks the connection in the middle of the answer's body.
	ResetAnswer Fault = "reset_answer"
	// ShortAnswer leaves the second half of the answer's body away, and says so in its
	// length: what is there looks whole.
	ShortAnswer Fault = "short_answer"
	// Stall stands still for [Faults.StallFor] before it serves the request, or drops it if
	// whoever sent it has gone.
	Stall Fault = "stall"
	// StallAnswer has the request served and stands still before it answers.
	StallAnswer Fault = "stall_answer"
	// Late breaks the connection and serves the request [Faults.StallFor] later, when whoever
	// sent it has long sent it again. It is the only fault by which something deleted can come
	// back, so it is not among those of [Even].
	Late Fault = "late"
	// Down is what happens to connections while the proxy is down; it is only counted.
	Down Fault = "down"
)

// Faults says how likely each fault is for a request, from 0 to 1, together at most 1.
// The zero value has none.
type Faults struct {
	Rates    map[Fault]float64
	StallFor time.Duration
}

// even are the faults that Even spreads a rate over.
var even = []Fault{InternalError, SlowDown, ResetRequest, LostAnswer, FalseError, ResetAnswer, ShortAnswer, Stall, StallAnswer}

// Even spreads a rate over all faults evenly, but for Late.
func Even(rate float64, stallFor time.Duration) Faults {
	f := Faults{Rates: map[Fault]float64{}, StallFor: stallFor}
	for _, k := range even {
		f.Rates[k] = rate / float64(len(even))
	}
	return f
}

// order is the order in which rates are added up, so that a seed means the same each time.
var order = append(slices.Clone(even), Late)

// draw picks a fault.
func (f Faults) draw(random *rand.Rand) Fault {
	x := random.Float64()
	for _, kind := range order {
		if x -= f.Rates[kind]; x < 0 {
			return kind
		}
	}
	return None
}
