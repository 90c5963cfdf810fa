package sweeps

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/tenfold-ml/tenfold/sweeps/space"
)

// rule says which values a setting can take and what it is for. Its type is the
// Go field's. Rules serve [Parse], which enforces them, and [JSONSchema], which
// publishes them.
type rule struct {
	doc string
	// Numbers lie in [min, max], or beyond an end that is open. Both zero: any.
	// For a list they bound its elements.
	min, max         float64
	minOpen, maxOpen bool
	// One of these words; later lists words that are planned.
	words, later []string
	// pattern must match, else the message says format. For a list, its elements
	// have to.
	pattern *regexp.Regexp
	format  string
	// example of a list, where that of its type would mislead.
	example string
	// A list has between minItems and maxItems elements (maxItems 0: no limit).
	minItems, maxItems int
	// fixed says why a setting of Config cannot be swept; empty if it can.
	fixed string
}

// solid is text without white space.
var solid = regexp.MustCompile(`^\S+$`)

const sameSplit = "every trial has to have the same validation cases"

// rules holds one rule for each setting, by its dotted path.
var rules = map[string]rule{
	"version": {doc: "Version of the format.", min: 1, max: 1},
	"name":    {doc: "Name of the sweep.", pattern: regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`), format: "a lower-case letter, then lower-case letters, digits and dashes, at most 40 in all"},
	"seed":    {doc: "Root of every random stream: initialisation, shuffling, dropout.", max: MaxSafeInteger},

	"data.name":           {doc: "Built-in data set (mnist, fashion-mnist), generated one (parity, sorting, adding, copy), directory of idx files (./mnist), file (.csv, .npz, .npy, .txt), or URL.", fixed: "a sweep has one data set"},
	"data.sha256":         {doc: "Checksum of what a URL must serve, 64 hex digits.", pattern: regexp.MustCompile(`^[0-9a-f]{64}$`), format: "64 lower-case hex digits", fixed: "a sweep has one data set"},
	"data.header":         {doc: "Whether the first line of a .csv is a header. Default: it is if no feature in it is a number.", words: []string{"present", "absent"}, fixed: "a sweep has one data set"},
	"data.label":          {doc: "Column of a .csv that has the labels: its name in the header, or its number from 1. Default: the one called label, class, target or y, else the last. For x.npy, the file beside it that has the labels. Default: x-labels.npy.", pattern: regexp.MustCompile(`^\S(.*\S)?$`), format: "the name of a column or its number", fixed: "a sweep has one data set"},
	"data.values":         {doc: "The labels of a .csv, .npz or .npy file are values to learn by squared error, not classes.", fixed: "a sweep has one data set"},
	"data.cases":          {doc: "Number of cases to train and validate with of a generated data set. Default: 110000.", min: 2, max: 1e9, fixed: "a sweep has one data set"},
	"data.test":           {doc: "Number of test cases of a data set that comes without a test split. Default: 10000 for a generated one, else a sixth of the cases, a tenth of a text.", min: 1, max: 1e9, fixed: "a sweep has one data set"},
	"data.bits":           {doc: "Number of bits: of parity's input (default 20), or of each number to sort (6).", min: 1, max: 10_000, fixed: "a sweep has one data set"},
	"data.numbers":        {doc: "How many numbers to sort. Default: 10.", min: 2, max: 1000, fixed: "a sweep has one data set"},
	"data.length":         {doc: "Steps of adding (default 100), symbols to copy (20), or symbols of a window of text (100).", min: 2, max: 100_000, fixed: "a sweep has one data set"},
	"data.validation":     {doc: "Number of cases held out of the training split. Default: 10000, or a sixth of limit or of cases; a tenth of a text.", min: 1, max: 1e9, fixed: sameSplit},
	"data.limit":          {doc: "Use only the first cases of the training split; 0 uses all.", max: 1e9, fixed: sameSplit},
	"data.split_seed":     {doc: "Decides which cases are held out. Default: seed.", max: MaxSafeInteger, fixed: sameSplit},
	"data.log1p":          {doc: "Take the logarithm of 1 plus every feature first, for features with long tails, such as counts."},
	"data.standardize":    {doc: "Scale every feature to zero mean and unit variance, fitted on the training cases."},
	"data.std_floor":      {doc: "Divide by at least this share of the features' root mean square standard deviation.", max: 1},
	"data.augment.shift":  {doc: "Move training images by up to so many whole pixels, either way; 0 is filled in.", max: 10_000},
	"data.augment.rotate": {doc: "Turn training images about their centre by up to so many degrees, either way.", max: 180},
	"data.augment.noise":  {doc: "Standard deviation of the normal noise added to the inputs of training cases, after standardising.", max: 1000},

	"model.kind":           {doc: "Kind of network.", words: []string{"mlp", convnet, lstm, rnn}},
	"model.conv":           {doc: "Convolutional layers of a convnet, input side first; the hidden layers follow.", minItems: 1, maxItems: 100},
	"model.hidden":         {doc: "Width of each hidden layer, input side first.", min: 1, max: 100_000, minItems: 1, maxItems: 100},
	"model.activation":     {doc: "Activation of the hidden layers.", words: []string{"relu", "tanh", "sigmoid"}},
	"model.forget_bias":    {doc: "Initial bias of the forget gates of an lstm. Default: 1.", min: -1000, max: 1000},
	"model.init.kind":      {doc: "Initial weights: scaled is scale/sqrt(fan_in)*N(0,1), normal is scale*N(0,1), he is scale*sqrt(2/fan_in)*N(0,1), sign is +-scale/sqrt(fan_in).", words: []string{"scaled", "normal", "he", "sign"}},
	"model.init.scale":     {doc: "Multiplies the initial weights. Default: 0.02 for normal, else 1.", minOpen: true, max: 1000},
	"model.init.bias":      {doc: "Biases of hidden units are uniform in [-bias, bias]. Default: 2 for sign, else 0.", max: 1000},
	"model.dropout.input":  {doc: "Probability of dropping an input while training.", max: 1, maxOpen: true},
	"model.dropout.hidden": {doc: "Probability of dropping a hidden unit while training.", max: 1, maxOpen: true},

	"train.batch_size":          {doc: "Cases per update.", min: 1, max: 1_000_000},
	"train.epochs":              {doc: "Passes over the training cases.", min: 1, max: 1_000_000},
	"train.carry_state":         {doc: "Whether a window of text begins in the state that the one before ended in. Default: true for text."},
	"train.learning_rate":       {doc: "Learning rate of the first epoch. Default: 0.1 for sgd, 0.001 for adam.", minOpen: true, max: 1e6},
	"train.optimizer":           {doc: "sgd is stochastic gradient descent with momentum. Default: sgd.", words: []string{"sgd", "adam"}},
	"train.momentum":            {doc: "Coefficient of the momentum of sgd. Default: 0.9.", max: 1, maxOpen: true},
	"train.nesterov":            {doc: "Nesterov's momentum for sgd, in Sutskever's form, instead of the classical one."},
	"train.adam.beta1":          {doc: "How slowly Adam's mean of gradients forgets. Default: 0.9.", max: 1, maxOpen: true},
	"train.adam.beta2":          {doc: "How slowly Adam's mean of squared gradients forgets. Default: 0.999.", max: 1, maxOpen: true},
	"train.adam.epsilon":        {doc: "Keeps Adam's step finite where gradients vanish. Default: 1e-8.", minOpen: true, max: 1},
	"train.weight_decay":        {doc: "L2 decay of the weights, not the biases: in the gradient for sgd, apart from it for adam (AdamW).", max: 1000},
	"train.max_norm":            {doc: "Hard limit on the L2 norm of each unit's incoming weights, applied after each update; 0 sets none.", max: 1e9},
	"train.schedule.kind":       {doc: "plateau lowers the rate when the validation error stops falling; constant never does.", words: []string{"plateau", "constant"}, later: []string{"step", "linear", "cosine", "exponential"}},
	"train.schedule.divide_by":  {doc: "What a plateau divides the rate by.", min: 1, max: 1e6},
	"train.schedule.patience":   {doc: "Epochs without a lower validation error that make a plateau.", min: 1, max: 1_000_000},
	"train.schedule.stop_below": {doc: "End the training once the rate is below this.", max: 1e6},
	"train.clip_norm":           {doc: "Hard limit on the gradient's global L2 norm; 0 sets none.", max: 1e9},

	"trainer.command": {doc: "Command that trains one trial, by the trainer's contract.", minItems: 1, maxItems: 1000},

	"search.method":     {doc: "How points are chosen.", words: []string{"grid"}, later: []string{"random", "sobol", "tpe"}},
	"search.max_trials": {doc: "The largest grid that is run without complaint.", min: 1, max: 1e9},

	"metric.name": {doc: "What trials are compared by.", words: []string{"validation_error"}, later: []string{"validation_nll"}},
	"metric.goal": {doc: "Whether less is better.", words: []string{"minimize"}, later: []string{"maximize"}},

	"launcher.nomad.driver":               {doc: "Task driver of the trainers. Default: raw_exec.", words: []string{"raw_exec", "exec", "docker"}},
	"launcher.nomad.image":                {doc: "Container image, for driver: docker, which needs it.", pattern: solid, format: "the name of an image, such as python:3.13-slim"},
	"launcher.nomad.region":               {doc: "Region of the jobs. Default: the workers' NOMAD_REGION, or their agent's.", pattern: solid, format: "the name of a region"},
	"launcher.nomad.namespace":            {doc: "Namespace of the jobs. Default: default.", pattern: regexp.MustCompile(`^[a-zA-Z0-9-]{1,128}$`), format: "letters, digits and dashes, at most 128 in all"},
	"launcher.nomad.datacenters":          {doc: "Data centers that may be used; * stands for any text. Default: all.", minItems: 1, maxItems: 100, pattern: solid, format: "the name of a data center", example: "[dc1, us-*]"},
	"launcher.nomad.node_pool":            {doc: "Node pool that is used. Default: default.", pattern: regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`), format: "letters, digits, dashes and underscores, at most 128 in all"},
	"launcher.nomad.priority":             {doc: "Priority of the jobs; one that is higher may preempt. Default: 50.", min: 1, max: 100},
	"launcher.nomad.constraints":          {doc: "Conditions that a node has to meet.", maxItems: 100},
	"launcher.nomad.affinities":           {doc: "Preferences for nodes.", maxItems: 100},
	"launcher.nomad.spread":               {doc: "Attributes of nodes over whose values trials are spread.", maxItems: 10},
	"launcher.nomad.gpu.name":             {doc: "Devices that count as GPUs: type, vendor/type or vendor/type/model. Default: nvidia/gpu.", pattern: regexp.MustCompile(`^[^/\s]+(/[^/\s]+){0,2}$`), format: "type, vendor/type or vendor/type/model"},
	"launcher.nomad.gpu.constraints":      {doc: "Conditions that each GPU has to meet, on ${device.model}, ${device.attr.memory} and the like.", maxItems: 100},
	"launcher.nomad.kill_timeout":         {doc: "Time between SIGTERM and SIGKILL. Default: 30s.", min: 1e9, max: 1e9 * 3600},
	"launcher.nomad.lost_after":           {doc: "How long a node that is not heard of may come back with its trials. Default: 5m.", min: 1e9, max: 1e9 * 3600 * 24 * 30},
	"launcher.nomad.artifacts":            {doc: "What Nomad fetches before a trainer starts.", maxItems: 100},
	"launcher.nomad.vault.role":           {doc: "Role in Vault of the token that Nomad gets for each trial.", pattern: solid, format: "the name of a role"},
	"launcher.nomad.vault.namespace":      {doc: "Namespace of the role in Vault.", pattern: solid, format: "the name of a namespace"},
	"launcher.nomad.identity.name":        {doc: "Name of the workload identity that Nomad signs for each trial.", pattern: regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`), format: "letters, digits, dashes and underscores, at most 128 in all"},
	"launcher.nomad.identity.audience":    {doc: "Whom the identity is for.", maxItems: 10, pattern: solid, format: "the name of an audience", example: "[vault.io]"},
	"launcher.nomad.identity.env":         {doc: "Whether the identity is in the trainer's environment."},
	"launcher.nomad.identity.file":        {doc: "Whether the identity is in a file in the task's secrets folder."},
	"launcher.nomad.identity.ttl":         {doc: "When the identity is renewed. Default: 1h.", min: 1e9 * 60, max: 1e9 * 3600 * 24 * 30},
	"launcher.nomad.credentials.role_arn": {doc: "Role that a worker assumes to hand each trial credentials that reach its own part of the store alone.", pattern: regexp.MustCompile(`^arn:[^\s:]*:[^\s:]*:[^\s:]*:[^\s:]*:\S+$`), format: "a role's ARN, such as arn:aws:iam::123456789012:role/trials"},
	"launcher.nomad.credentials.duration": {doc: "How long the credentials last. Default: 1h.", min: 1e9 * 900, max: 1e9 * 3600 * 12},
	"launcher.nomad.disk":                 {doc: "Ephemeral disk of one trial. Default: 100MiB.", min: 10 << 20, max: 1 << 50},

	"parallelism":       {doc: "Number of trials in flight.", min: 1, max: 500},
	"launcher.kind":     {doc: "Where trainers run.", words: []string{LocalLauncher, NomadLauncher}},
	"resources.cpu":     {doc: "Cores of one trial; 0 shares the machine's evenly.", max: 4096},
	"resources.memory":  {doc: "Memory of one trial, a hint for placement.", max: 1 << 50},
	"resources.gpus":    {doc: "GPUs of one trial; they need launcher.kind: nomad.", max: 64},
	"retries.infra":     {doc: "Relaunches of a trial after faults of the infrastructure.", max: 1_000_000},
	"retries.preempted": {doc: "Relaunches of a trial after it was preempted.", max: 1_000_000},
	"retries.user":      {doc: "Relaunches of a trial after a fault of its configuration, data or code.", max: 1_000_000},
	"max_failed_trials": {doc: "How many trials may fail before the sweep does. Default: a tenth of the trials, at most 10.", max: 1e9},
	"no_progress":       {doc: "How long a trainer may print nothing before it is killed as hanging.", min: 1e9, max: 1e9 * 3600 * 24 * 30},
	"ensemble.size":     {doc: "Number of members; 0 makes no ensemble. Default: 10, or all trials if they are fewer; 0 for a custom trainer.", max: 1000},
	"ensemble.strategy": {doc: "How members are chosen: top_k takes the smallest validation errors.", words: []string{"top_k"}, later: []string{"reseed", "greedy"}},
}

// sectionDocs describes the sections, and the two free-form ones.
var sectionDocs = map[string]string{
	"":               "A sweep: a grid of networks to train, and the ensemble to make of the best.",
	"data":           "What the networks learn from.",
	"data.augment":   "Variations of the training cases, drawn anew in every epoch.",
	"model":          "The network.",
	"model.init":     "The initial weights.",
	"model.dropout":  "Dropout, applied while training only.",
	"train":          "The optimisation.",
	"train.adam":     "Settings of the optimiser adam.",
	"train.schedule": "The learning-rate schedule.",
	"config":         "Free-form settings of a custom trainer.",
	"trainer":        "A trainer that is not built in.",
	"parameters":     "What to sweep: dotted paths into the sections above, and the values to try.",
	"search":         "What to try.",
	"metric":         "What trials are compared by.",
	"launcher":       "Where trainers run.",

	"launcher.nomad":             "How trials are placed on a Nomad cluster, with kind: nomad.",
	"launcher.nomad.gpu":         "Which devices count as GPUs, with resources.gpus.",
	"launcher.nomad.env":         "Settings for the trainers' environment. No secrets.",
	"launcher.nomad.vault":       "A token of Vault for each trial.",
	"launcher.nomad.identity":    "A workload identity for each trial.",
	"launcher.nomad.credentials": "Credentials for the store, by STS AssumeRole, that are a trial's own and do not last.",
	"launcher.nomad.jobspec":     "A job in the JSON form of Nomad's API, which the other settings are merged over. No secrets.",

	"resources": "Resources of one trial.",
	"retries":   "How often one trial is launched again, by cause.",
	"ensemble":  "What to make of the trials.",
}

// plannedKeys are keys that the format is going to have.
var plannedKeys = map[string]bool{
	"early_stop": true, "budget": true, "metric.target": true,
	"trainer.image": true, "trainer.artifact": true,
}

// check returns what is wrong with the value of the setting at path and what to
// do, or "". The value has the setting's type already.
func check(path string, value reflect.Value) string {
	r, ok := rules[path]
	if !ok {
		return ""
	}
	switch value.Kind() {
	case reflect.Int, reflect.Int64:
		switch v := value.Interface().(type) {
		case Duration:
			return checkUnit(v, Duration(r.min), Duration(r.max))
		case Bytes:
			return checkUnit(v, Bytes(r.min), Bytes(r.max))
		}
		return r.checkNumber(float64(value.Int()))
	case reflect.Uint64:
		return r.checkNumber(float64(value.Uint()))
	case reflect.Float64:
		return r.checkNumber(value.Float())
	case reflect.String:
		if path == "data.name" {
			return checkDataName(value.String())
		}
		return r.checkText(value.String())
	case reflect.Slice:
		return r.checkList(value)
	default:
		return ""
	}
}

func (r rule) hasRange() bool { return r.min != 0 || r.max != 0 || r.minOpen || r.maxOpen }

func (r rule) checkNumber(x float64) string {
	if !r.hasRange() || (x >= r.min && x <= r.max && (!r.minOpen || x > r.min) && (!r.maxOpen || x < r.max)) {
		return ""
	}
	low, high := "at least ", "at most "
	if r.minOpen {
		low = "above "
	}
	if r.maxOpen {
		high = "below "
	}
	limits := low + space.Format(r.min) + " and " + high + space.Format(r.max)
	if r.min == r.max {
		limits = space.Format(r.min)
	}
	return fmt.Sprintf("is %s, but has to be %s", space.Format(x), limits)
}

// checkUnit checks a quantity with a unit, and shows it as it is written.
func checkUnit[T Bytes | Duration](v, low, high T) string {
	if v < low || v > high {
		return fmt.Sprintf("is %v, but has to be at least %v and at most %v", v, low, high)
	}
	return ""
}

func (r rule) checkText(text string) string {
	if r.words != nil && !slices.Contains(r.words, text) {
		if slices.Contains(r.later, text) {
			return fmt.Sprintf("%q is not available yet; use %s", text, strings.Join(r.words, " or "))
		}
		return fmt.Sprintf("is %.60q, but has to be %s", text, strings.Join(r.words, " or "))
	}
	if r.pattern != nil && !r.pattern.MatchString(text) {
		return fmt.Sprintf("is %.60q, but has to be %s", text, r.format)
	}
	return ""
}

func (r rule) checkList(list reflect.Value) string {
	if n := list.Len(); n < r.minItems {
		return fmt.Sprintf("is an empty list; give at least %d", r.minItems)
	} else if r.maxItems > 0 && n > r.maxItems {
		return fmt.Sprintf("has %d elements; at most %d are allowed", n, r.maxItems)
	}
	for i := range list.Len() {
		if problem := r.checkElement(i, list.Index(i)); problem != "" {
			return fmt.Sprintf("element %d %s", i+1, problem)
		}
	}
	return ""
}

func (r rule) checkElement(i int, e reflect.Value) string {
	switch {
	case e.Kind() == reflect.Int:
		return r.checkNumber(float64(e.Int()))
	case e.Kind() == reflect.Struct:
		if layer, ok := e.Interface().(ConvLayer); ok {
			return layer.check()
		}
		if r, ok := records[e.Type()]; ok {
			return r.check(e)
		}
	case e.Kind() == reflect.String && r.pattern != nil:
		return r.checkText(e.String())
	case e.Kind() == reflect.String && e.String() == "" && i == 0:
		return "is empty; name the program to run"
	}
	return ""
}

// secretWords give away a URL that carries a credential.
var secretWords = regexp.MustCompile(`(?i)[?&][^=]*(token|signature|secret|password|credential|key)[^=]*=`)

// checkURL checks a URL from its host on. What it serves is another matter.
func checkURL(rest string) string {
	host, _, _ := strings.Cut(rest, "/")
	switch {
	case strings.ContainsRune(host, '@'), secretWords.MatchString(rest):
		return "has a password or key in its URL; a spec is stored and shown, so it may hold no secret"
	case host == "", strings.ContainsFunc(rest, unicode.IsSpace):
		return "is no valid URL; write https://host/path.tar.gz"
	}
	return ""
}

func checkDataName(name string) string {
	scheme, rest, isURL := strings.Cut(name, "://")
	switch {
	case name == "":
		return "is empty; name a built-in data set (mnist), a directory of idx files, or a URL"
	case isURL && scheme != "http" && scheme != "https":
		return fmt.Sprintf("is a URL with the scheme %.20s, which is not available yet; use https, http or a directory", scheme)
	case isURL:
		return checkURL(rest)
	case strings.ContainsAny(name, `/\.`), slices.Contains(builtInData, name):
		return ""
	}
	message := fmt.Sprintf("%.60q is no built-in data set", name)
	if near := nearest(name, builtInData); near != "" {
		return message + fmt.Sprintf("; did you mean %q?", near)
	}
	return message + fmt.Sprintf("; use %s, or a directory, written with a slash: ./%.60s", strings.Join(builtInData, ", "), name)
}
