package sweeps

import (
	"reflect"
	"strings"
)

// required reports what every spec has to say.
func (d *decoder) required(root *node) {
	if root.kind != mapNode {
		return
	}
	for _, missing := range []struct{ key, remedy string }{
		{"version", "add version: 1"},
		{"name", "add a name for the sweep, such as name: mnist-mlp"},
	} {
		if _, ok := d.keys[missing.key]; !ok {
			d.problem(root.position, missing.key, "is missing; %s", missing.remedy)
		}
	}
}

// checkTrainer keeps the settings of the built-in trainer and of a custom one apart.
func (d *decoder) checkTrainer() {
	if !d.spec.custom() {
		d.checkBuiltIn()
		return
	}
	const only = "belongs to the built-in trainer, and trainer.command is set; put settings of your own under config"
	for _, section := range []string{"data", "model"} {
		if d.given(section) {
			d.problem(d.keys[section], section, only)
		}
	}
	for _, f := range fieldsOf(reflect.TypeFor[Train]()) {
		if path := join("train", f.name); path != "train.epochs" && d.given(path) {
			d.problem(d.keys[path], path, only)
		}
	}
}

func (d *decoder) checkBuiltIn() {
	if d.given("trainer") {
		if !d.faulty("trainer") {
			d.problem(d.keys["trainer"], "trainer", "has no command; add command: [program, argument], or remove the section")
		}
		return
	}
	if d.given(customSection) {
		d.problem(d.keys[customSection], customSection, "is for a custom trainer, and trainer.command is not set; set it, or use data, model and train")
	}
}

// checkConfig checks settings of the built-in trainer against each other.
func (d *decoder) checkConfig() {
	if d.spec.custom() {
		return
	}
	if !d.faulty("data") {
		d.checkData()
		d.checkStandardize()
		d.checkSized()
	}
	if !d.faulty("model.kind") && !d.faulty("model.conv") {
		d.checkConv()
	}
	if !d.faulty("model.kind") && !d.faulty("train.carry_state") {
		d.checkRecurrent()
	}
	if !d.faulty("train.schedule") {
		d.checkSchedule()
	}
	if !d.faulty("train.optimizer") {
		d.checkOptimizer()
	}
}

func (d *decoder) checkData() {
	data := d.spec.Data
	isURL := strings.Contains(data.Name, "://")
	switch {
	case isURL && data.SHA256 == "":
		d.problem(d.where("data.name"), "data.name", "is a URL, which needs data.sha256, the checksum of what it serves")
	case !isURL && data.SHA256 != "":
		d.problem(d.where("data.sha256"), "data.sha256", "is the checksum of a URL, and data.name is none; remove it")
	}
	if d.given("data.header") && data.Format() != "csv" {
		d.problem(d.where("data.header"), "data.header", "is about the columns of a .csv file, and data.name is none; remove it")
	}
	if d.given("data.label") && data.Format() != "csv" && data.Format() != "npy" {
		d.problem(d.where("data.label"), "data.label", "is about a .csv or .npy file, and data.name is none; remove it")
	}
	available, whose := data.available()
	if available > 0 && data.Validation >= available && data.Validation > 0 {
		d.problem(d.where("data.validation", "data.limit"), "data.validation",
			"is %d, which leaves nothing to train on; it has to be below %s, %d", data.Validation, whose, available)
	}
}

// checkSchedule reports settings that a constant rate leaves without effect.
func (d *decoder) checkSchedule() {
	kind, kindSwept := d.spec.Parameters["train.schedule.kind"]
	constant := d.spec.Train.Schedule.Kind == "constant" && !kindSwept
	for i := range kind.Len() {
		constant = constant || kind.At(i) == "constant"
	}
	if !constant {
		return
	}
	for _, path := range []string{"train.schedule.divide_by", "train.schedule.patience", "train.schedule.stop_below"} {
		if swept := join("parameters", path); d.given(swept) {
			d.problem(d.keys[swept], swept, "has no effect when train.schedule.kind is constant, so trials would repeat; remove one of the two")
		} else if d.given(path) && !kindSwept {
			d.problem(d.keys[path], path, "has no effect when train.schedule.kind is constant; remove it")
		}
	}
}

// checkStandardize reports a floor that has nothing to bound.
func (d *decoder) checkStandardize() {
	standardize, swept := d.spec.Parameters["data.standardize"]
	raw := !d.spec.Data.Standardize && !swept
	for i := range standardize.Len() {
		raw = raw || standardize.At(i) == false
	}
	if !raw {
		return
	}
	if path := "parameters.data.std_floor"; d.given(path) {
		d.problem(d.keys[path], path, "has no effect when data.standardize is false, so trials would repeat; remove one of the two")
	} else if path := "data.std_floor"; d.given(path) && !swept {
		d.problem(d.keys[path], path, "has no effect when data.standardize is false; remove it")
	}
}

// where is the place of the first of these settings that was written, or the
// beginning of the file.
func (d *decoder) where(paths ...string) position {
	for _, path := range paths {
		if n, ok := d.values[path]; ok {
			return n.position
		}
	}
	return position{1, 1}
}
