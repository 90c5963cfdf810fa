package sweeps

// Config is everything that one training run depends on apart from the data
// set's bytes and the trainer's identity: a [Spec] without its parameters, or
// with one grid point's values filled in. Its canonical JSON is hashed into the
// [TrialID], so a field added here must be omitted from JSON at its default
// (`omitzero`) or every trial ID changes.
type Config struct {
	// Seed is the root of every random stream of the run: initialisation,
	// shuffling, dropout. It is at most [MaxSafeInteger].
	Seed uint64 `json:"seed" yaml:"seed"`
	// Data, Model and Train configure the built-in trainer. A custom trainer
	// reads only Train.Epochs of them.
	Data  Data  `json:"data,omitzero" yaml:"data"`
	Model Model `json:"model,omitzero" yaml:"model"`
	Train Train `json:"train,omitzero" yaml:"train"`
	// Custom holds the free-form settings of a trainer that is not ours
	// (the spec's `config:` section).
	Custom map[string]any `json:"config,omitzero" yaml:"config"`
}

// Data says what the network learns from and how it is prepared.
type Data struct {
	// Name is a built-in data set, such as "mnist" or "parity"; a directory of idx
	// files; a file (.csv, .npz, .npy or .txt); or a URL of one, or of a .tar.gz of
	// idx files.
	Name string `json:"name" yaml:"name"`
	// SHA256 is the checksum of what a URL must serve, in hex; required for
	// URLs and meaningless otherwise.
	SHA256 string `json:"sha256,omitzero" yaml:"sha256"`
	// Header says whether the first line of a .csv is a header: "present" or
	// "absent"; empty means that it is one if no feature in it is a number.
	Header string `json:"header,omitzero" yaml:"header"`
	// Label is the column of a .csv that has the labels: its name in the header, or
	// its number from 1. Empty means the one that the header calls label, class,
	// target or y, else the last. For x.npy it is the name of the file beside it that
	// has the labels; empty means x-labels.npy.
	Label string `json:"label,omitzero" yaml:"label"`
	// Values says that the labels of a .csv, .npz or .npy file are values to learn by
	// squared error, where they would be taken for classes.
	Values bool `json:"values,omitzero" yaml:"values"`
	// Cases is the number of cases to train and validate with that are generated.
	Cases int `json:"cases,omitzero" yaml:"cases"`
	// Test is the size of the test split of a data set that comes without one; 0 is
	// a sixth of the cases, a tenth of a text.
	Test int `json:"test,omitzero" yaml:"test"`
	// Bits is the number of bits whose parity is asked for, or those of a number to
	// sort; Numbers is how many of these there are.
	Bits    int `json:"bits,omitzero" yaml:"bits"`
	Numbers int `json:"numbers,omitzero" yaml:"numbers"`
	// Length is the number of steps of the adding problem, of symbols to copy, or
	// of a window of text.
	Length int `json:"length,omitzero" yaml:"length"`
	// Validation is the number of cases held out of the training split. Default:
	// 10000, or a sixth of Limit or of Cases if that is fewer; 0 for text, which
	// means a tenth.
	Validation int `json:"validation" yaml:"validation"`
	// Limit uses only the first Limit cases of the training split, before
	// the validation cases are held out; 0 uses all. For trying things quickly.
	Limit int `json:"limit,omitzero" yaml:"limit"`
	// SplitSeed decides which cases are held out. It is separate from
	// Config.Seed so that networks which differ in the seed share a split.
	// Default: the spec's seed, also where seeds are swept.
	SplitSeed uint64 `json:"split_seed" yaml:"split_seed"`
	// Log1p takes the logarithm of 1 plus every feature, as it is in the data, before
	// anything else, for features with long tails.
	Log1p bool `json:"log1p,omitzero" yaml:"log1p"`
	// Standardize scales every feature to zero mean and unit variance, with
	// both fitted on the training cases alone.
	Standardize bool `json:"standardize" yaml:"standardize"`
	// StdFloor is the least standard deviation that Standardize divides by, as a
	// share of the features' root mean square one. With 0 a pixel that is
	// almost always blank becomes a huge input in the few cases where it is not.
	StdFloor float64 `json:"std_floor,omitzero" yaml:"std_floor"`
	// Augment varies the training cases, anew in every epoch.
	Augment Augment `json:"augment,omitzero" yaml:"augment"`
}

// Augment says how far training cases are varied while training; validation and
// test cases never are. The zero value leaves them as they are.
type Augment struct {
	// Shift moves an image by a whole number of pixels, uniform in [-Shift, Shift],
	// in either direction. What comes in at the edge is 0 before standardising.
	Shift int `json:"shift,omitzero" yaml:"shift"`
	// Rotate turns an image about its centre by an angle in degrees, uniform in
	// [-Rotate, Rotate].
	Rotate float64 `json:"rotate,omitzero" yaml:"rotate"`
	// Noise is the standard deviation of the normal noise that is added to every
	// input, after standardising.
	Noise float64 `json:"noise,omitzero" yaml:"noise"`
}

// Model describes the network.
type Model struct {
	// Kind is "mlp", "convnet", "lstm" or "rnn", a recurrent network without gates.
	Kind string `json:"kind" yaml:"kind"`
	// Conv are the convolutional layers of a convnet, input side first, which come
	// before the hidden ones.
	Conv []ConvLayer `json:"conv,omitzero" yaml:"conv"`
	// Hidden is the width of each hidden layer, input side first; of recurrent
	// models these are the recurrent layers.
	Hidden []int `json:"hidden" yaml:"hidden"`
	// Activation of the hidden layers: "relu", "tanh" or "sigmoid".
	Activation string `json:"activation" yaml:"activation"`
	// ForgetBias is what the biases of an lstm's forget gates start at. Default: 1.
	ForgetBias float64 `json:"forget_bias,omitzero" yaml:"forget_bias"`
	// Init draws the initial weights and biases.
	Init Init `json:"init" yaml:"init"`
	// Dropout is applied while training only.
	Dropout Dropout `json:"dropout" yaml:"dropout"`
}

// Init is a family of initial weights and its scale.
type Init struct {
	// Kind is "scaled", Scale/sqrt(fan_in)·N(0,1); "normal", Scale·N(0,1); "he",
	// Scale·sqrt(2/fan_in)·N(0,1); or "sign", ±Scale/sqrt(fan_in).
	Kind string `json:"kind" yaml:"kind"`
	// Scale multiplies the draw. Default: 0.02 for normal, else 1.
	Scale float64 `json:"scale" yaml:"scale"`
	// Bias is the half-width of the interval around zero that the biases of hidden
	// units are drawn from, uniformly. Default: 2 for sign, else 0.
	Bias float64 `json:"bias,omitzero" yaml:"bias"`
}

// Dropout holds the probabilities of dropping a unit, in [0, 1).
type Dropout struct {
	Input  float64 `json:"input" yaml:"input"`
	Hidden float64 `json:"hidden" yaml:"hidden"`
}

// Train configures the optimisation.
type Train struct {
	// BatchSize is the number of cases per update; the loss is their mean, so
	// the learning rate's effect does not depend on it.
	BatchSize int `json:"batch_size,omitzero" yaml:"batch_size"`
	// CarryState has each window of a text begin in the state that the window before
	// it ended in, without a gradient through it: truncated back-propagation through
	// time. Default: true for recurrent models of text.
	CarryState bool `json:"carry_state,omitzero" yaml:"carry_state"`
	// Epochs is the number of passes over the training cases.
	Epochs int `json:"epochs" yaml:"epochs"`
	// LearningRate is the rate of the first epoch. Default: 0.1 for SGD, 0.001 for
	// Adam.
	LearningRate float64 `json:"learning_rate,omitzero" yaml:"learning_rate"`
	// Optimizer is "adam", or empty for "sgd", stochastic gradient descent with
	// momentum.
	Optimizer string `json:"optimizer,omitzero" yaml:"optimizer"`
	// Momentum is the coefficient of SGD's momentum, in [0, 1).
	Momentum float64 `json:"momentum,omitzero" yaml:"momentum"`
	// Nesterov selects Nesterov's momentum instead of the classical one.
	Nesterov bool `json:"nesterov,omitzero" yaml:"nesterov"`
	// Adam holds the settings of that optimiser; all zero with another.
	Adam Adam `json:"adam,omitzero" yaml:"adam"`
	// WeightDecay is the coefficient of L2 decay of the weights, not of the
	// biases: SGD adds it, times the weight, to the gradient; Adam subtracts it,
	// times rate and weight, from the weight (AdamW).
	WeightDecay float64 `json:"weight_decay,omitzero" yaml:"weight_decay"`
	// MaxNorm is a hard limit on the L2 norm of each unit's incoming weights,
	// applied after each update; 0 sets none.
	MaxNorm float64 `json:"max_norm,omitzero" yaml:"max_norm"`
	// Schedule lowers the learning rate.
	Schedule Schedule `json:"schedule,omitzero" yaml:"schedule"`
	// ClipNorm is a hard limit on the global L2 norm of the gradient; 0 sets none.
	ClipNorm float64 `json:"clip_norm,omitzero" yaml:"clip_norm"`
}

// Adam holds the settings of the optimiser of Kingma and Ba (2015).
type Adam struct {
	// Beta1 and Beta2 say how slowly the means of gradients and of their squares
	// forget, in [0, 1). Defaults: 0.9 and 0.999.
	Beta1 float64 `json:"beta1" yaml:"beta1"`
	Beta2 float64 `json:"beta2" yaml:"beta2"`
	// Epsilon keeps the step finite where gradients vanish. Default: 1e-8.
	Epsilon float64 `json:"epsilon" yaml:"epsilon"`
}

// Schedule is a learning-rate schedule.
type Schedule struct {
	// Kind is "plateau", which divides the rate by DivideBy whenever the
	// validation error has not fallen for Patience epochs, or "constant".
	Kind string `json:"kind" yaml:"kind"`
	// DivideBy is at least 1, usually 2 or 5.
	DivideBy float64 `json:"divide_by,omitzero" yaml:"divide_by"`
	// Patience is in epochs, at least 1.
	Patience int `json:"patience,omitzero" yaml:"patience"`
	// StopBelow ends the training once the rate is below it.
	StopBelow float64 `json:"stop_below,omitzero" yaml:"stop_below"`
}
