package storage

import (
	"path"
	"strconv"
	"strings"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// The layout. Every key of a store is made here, and docs/store.md shows them
// all. Numbers in keys are plain decimals without padding, so listings are put
// into numeric order after parsing.

// SpecKey is where a sweep's spec is kept, with its defaults filled in.
func SpecKey(sweep string) string { return path.Join("sweeps", sweep, "spec.yaml") }

// PlanKey is where a sweep's grid is kept, resolved to trials.
func PlanKey(sweep string) string { return path.Join("sweeps", sweep, "plan.json") }

// ManifestKey is where the manifest of a sweep's ensemble is kept.
func ManifestKey(sweep string) string { return path.Join("sweeps", sweep, "ensemble", "manifest.json") }

// ReportHTMLKey is where a sweep's report for people is kept.
func ReportHTMLKey(sweep string) string { return path.Join("sweeps", sweep, "ensemble", "report.html") }

// ReportJSONKey is where a sweep's report for programs is kept.
func ReportJSONKey(sweep string) string { return path.Join("sweeps", sweep, "ensemble", "report.json") }

// TrialDir is the prefix of everything that belongs to a trial.
func TrialDir(id sweeps.TrialID) string { return path.Join("trials", string(id)) }

// TrialConfigKey is where a trial's canonical JSON is kept.
func TrialConfigKey(id sweeps.TrialID) string { return path.Join(TrialDir(id), "config.json") }

// CheckpointDir is the prefix of a trial's checkpoints: their artifacts and records.
func CheckpointDir(id sweeps.TrialID) string { return path.Join(TrialDir(id), "checkpoints") }

// CheckpointRecordKey is where the record of a checkpoint is kept that an
// attempt has written after so many epochs.
func CheckpointRecordKey(id sweeps.TrialID, epoch, attempt int) string {
	return CheckpointStepRecordKey(id, epoch, 0, attempt)
}

// CheckpointStepRecordKey is CheckpointRecordKey for a checkpoint taken within
// an epoch: after so many whole epochs and so many steps of the next one.
func CheckpointStepRecordKey(id sweeps.TrialID, epoch, step, attempt int) string {
	at := strconv.Itoa(epoch)
	if step > 0 {
		at += "." + strconv.Itoa(step)
	}
	return path.Join(CheckpointDir(id), at+"-a"+strconv.Itoa(attempt)+".json")
}

// ParseCheckpointRecord takes the last segment of a CheckpointRecordKey or a
// CheckpointStepRecordKey apart; ok is false for every other name.
func ParseCheckpointRecord(name string) (epoch, attempt int, ok bool) {
	stem, isJSON := strings.CutSuffix(name, ".json")
	e, a, isRecord := strings.Cut(stem, "-a")
	if !isJSON || !isRecord {
		return 0, 0, false
	}
	e, within, isWithin := strings.Cut(e, ".")
	if step, isNumber := parseDecimal(within); isWithin && (!isNumber || step == 0) {
		return 0, 0, false
	}
	epoch, ok1 := parseDecimal(e)
	attempt, ok2 := parseDecimal(a)
	if !ok1 || !ok2 || attempt == 0 {
		return 0, 0, false
	}
	return epoch, attempt, true
}

// MetricsKey is where the metrics of an attempt are kept, one JSON object a line.
func MetricsKey(id sweeps.TrialID, attempt int) string {
	return path.Join(TrialDir(id), "metrics", "a"+strconv.Itoa(attempt)+".jsonl")
}

// LogDir is the prefix of what a trial's runs printed on standard error.
func LogDir(id sweeps.TrialID) string { return path.Join(TrialDir(id), "logs") }

// LogKey is where the end of a run's standard error is kept.
func LogKey(id sweeps.TrialID, name LogName) string {
	return path.Join(LogDir(id), name.Sweep+"-a"+strconv.Itoa(name.Attempt)+".txt")
}

// PredictionsDir is the prefix of the predictions that a trial makes after its
// budget of epochs.
func PredictionsDir(id sweeps.TrialID, epochs int) string {
	return path.Join(TrialDir(id), "predictions", strconv.Itoa(epochs))
}

// ResultKey is where the result of training a trial for a budget of epochs is
// committed.
func ResultKey(id sweeps.TrialID, epochs int) string {
	return path.Join(TrialDir(id), "results", strconv.Itoa(epochs)+".json")
}

// DatasetDir is the prefix of a data set's files; digest is "sha256:<hex>" or
// the hex alone.
func DatasetDir(digest string) string {
	return path.Join("datasets", strings.TrimPrefix(digest, "sha256:"))
}

// DatasetManifestKey is where the list of a data set's files is kept, which is
// written last and makes the data set exist.
func DatasetManifestKey(digest string) string { return path.Join(DatasetDir(digest), "manifest.json") }

// hashDigits is how much of an artifact's SHA-256 is in its key, in hex digits.
const hashDigits = 16

// ArtifactKey is where an artifact is kept whose SHA-256 is sum, in hex: for
// example <dir>/<name>-<first 16 digits>.npy. ext is without its dot and may be
// empty.
func ArtifactKey(dir, name, ext, sum string) string {
	key := path.Join(dir, name+"-"+sum[:min(hashDigits, len(sum))])
	if ext != "" {
		key += "." + ext
	}
	return key
}

// Extensions of a checkpoint's two artifacts; filesExt is a custom trainer's weights'.
const (
	weightsExt = "safetensors"
	filesExt   = "tar"
	stateExt   = "state"
)

// parseCheckpointArtifact takes the last segment of the key of a checkpoint's
// weights or state apart.
func parseCheckpointArtifact(name string) (epoch int, ok bool) {
	stem, ext, _ := strings.Cut(name, ".")
	e, hash, _ := strings.Cut(stem, "-")
	epoch, ok = parseDecimal(e)
	return epoch, ok && (ext == weightsExt || ext == filesExt || ext == stateExt) && len(hash) == hashDigits && isHex(hash)
}

// parseDecimal reads what strconv.Itoa writes for numbers that are not negative,
// and nothing else.
func parseDecimal(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0 && strconv.Itoa(n) == s
}

// isHex says whether s is made of lower-case hexadecimal digits.
func isHex(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) })
}
