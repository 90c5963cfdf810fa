package sweeps

// Kinds of recurrent models.
const (
	lstm = "lstm"
	rnn  = "rnn"
)

// The defaults of recurrent models. A large bias of the forget gates is among the
// oldest advice for LSTMs (Gers et al. 2000; Jozefowicz et al. 2015).
const (
	recurrentUnits    = 128
	forgetBiasDefault = 1
)

// IsRecurrent says whether the model goes through its inputs step by step.
func (m Model) IsRecurrent() bool { return m.Kind == lstm || m.Kind == rnn }

// fillRecurrent sets the defaults that recurrent models have of their own.
func (c *Config) fillRecurrent(swept bool, given func(path string) bool) {
	if !c.Model.IsRecurrent() && !swept {
		return
	}
	if !given("model.hidden") && !swept {
		c.Model.Hidden = []int{recurrentUnits}
	}
	if !given("model.activation") && !swept {
		c.Model.Activation = "tanh"
	}
	if !given("model.forget_bias") {
		c.Model.ForgetBias = forgetBiasDefault
	}
	if !given("train.carry_state") {
		c.Train.CarryState = c.Data.IsText()
	}
}

// normalizeRecurrent clears what other kinds of models leave without effect.
func (c *Config) normalizeRecurrent() {
	if c.Model.Kind != lstm {
		c.Model.ForgetBias = 0
	} else {
		c.Model.Activation = "tanh"
	}
	if !c.Model.IsRecurrent() {
		c.Train.CarryState = false
	}
}

// kinds are the kinds of models of a spec's trials: one, or those that are swept.
type kinds struct{ lstm, rnn, others bool }

func (s *Spec) uses() kinds {
	var k kinds
	add := func(kind any) {
		switch kind {
		case lstm:
			k.lstm = true
		case rnn:
			k.rnn = true
		default:
			k.others = true
		}
	}
	swept, isSwept := s.Parameters["model.kind"]
	if !isSwept {
		add(s.Model.Kind)
	}
	for i := range swept.Len() {
		add(swept.At(i))
	}
	return k
}

// checkRecurrent reports settings of recurrent models where there is none, and data
// that only such models can learn from.
func (d *decoder) checkRecurrent() {
	_, swept := d.spec.Parameters["model.kind"]
	uses := d.spec.uses()
	switch {
	case uses.others:
		d.withoutEffect("model.kind is not recurrent", swept, "model.forget_bias", "train.carry_state")
	case uses.rnn:
		d.withoutEffect("model.kind is rnn", swept, "model.forget_bias")
	}
	if uses.lstm {
		d.withoutEffect("model.kind is lstm", swept, "model.activation")
	}
	const carry = "train.carry_state"
	_, carrySwept := d.spec.Parameters[carry]
	if (carrySwept || d.spec.Train.CarryState) && !uses.others && !d.spec.Data.IsText() && (d.given(carry) || carrySwept) {
		d.problem(d.where(carry), carry, "needs running text, a data.name that ends in .txt: other cases do not follow each other")
	}
	if d.spec.Data.isSymbols() && uses.others {
		d.problem(d.where("model.kind", "parameters.model.kind", "data.name"), "model.kind", "has to be lstm or rnn for %s", d.spec.Data.kind())
	}
}
