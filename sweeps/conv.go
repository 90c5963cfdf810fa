package sweeps

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// ConvLayer is a convolution, the activation, and max-pooling after them.
type ConvLayer struct {
	// Channels is the number of filters, each of which makes a plane.
	Channels int `json:"channels" yaml:"channels"`
	// Kernel is the side of a filter. Default: 3.
	Kernel int `json:"kernel" yaml:"kernel"`
	// Stride is how far a filter moves. Default: 1.
	Stride int `json:"stride" yaml:"stride"`
	// Padding is how many zeros surround each plane of the input. Default: 0.
	Padding int `json:"padding" yaml:"padding"`
	// Pool is the side, and the stride, of the windows of which only the largest
	// element is kept; 0 keeps all.
	Pool int `json:"pool" yaml:"pool"`
}

// convSetting is the rule of one key of a layer.
type convSetting struct {
	doc               string
	min, max, initial int
}

// The rules of a layer's keys, in the order of its fields. A layer has no paths of
// its own: the list is one setting, and is swept as a whole.
var convSettings = map[string]convSetting{
	"channels": {doc: "Number of filters, each of which makes a plane; required.", min: 1, max: 100_000},
	"kernel":   {doc: "Side of a filter.", min: 1, max: 1000, initial: 3},
	"stride":   {doc: "How far a filter moves.", min: 1, max: 1000, initial: 1},
	"padding":  {doc: "Zeros around each plane of the input; less than the kernel.", max: 999},
	"pool":     {doc: "Side and stride of the windows of which only the largest element is kept; 0 keeps all.", max: 1000},
}

// assignConvLayer stores a JSON value in a layer, or says why it does not fit.
func assignConvLayer(dst reflect.Value, v any) string {
	section, ok := v.(map[string]any)
	if !ok {
		return mismatch("a layer, such as {channels: 32, kernel: 3, padding: 1, pool: 2}", v)
	}
	fields := fieldsOf(dst.Type())
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
		dst.FieldByIndex(f.index).SetInt(int64(convSettings[f.name].initial))
	}
	for _, key := range slices.Sorted(maps.Keys(section)) {
		at := slices.Index(names, key)
		if at < 0 {
			if near := nearest(key, names); near != "" {
				return fmt.Sprintf("has an unknown key, %s; did you mean %q?", showKey(key), near)
			}
			return fmt.Sprintf("has an unknown key, %s; known here: %s", showKey(key), strings.Join(names, ", "))
		}
		if problem := assign(dst.FieldByIndex(fields[at].index), section[key]); problem != "" {
			return key + " " + problem
		}
	}
	if section["channels"] == nil {
		return "has no channels; add channels: 32"
	}
	return ""
}

// check says what is wrong with a layer by itself.
func (l ConvLayer) check() string {
	value := reflect.ValueOf(l)
	for _, f := range fieldsOf(value.Type()) {
		s, n := convSettings[f.name], value.FieldByIndex(f.index).Int()
		if n < int64(s.min) || n > int64(s.max) {
			return fmt.Sprintf("%s is %d, but has to be at least %d and at most %d", f.name, n, s.min, s.max)
		}
	}
	if l.Padding >= l.Kernel {
		return fmt.Sprintf("padding is %d, but has to be below the kernel, %d", l.Padding, l.Kernel)
	}
	return ""
}

// describeConvLayer adds the rules to a layer's schema.
func describeConvLayer(schema *jsonschema.Schema) {
	schema.Required = []string{"channels"}
	for name, s := range convSettings {
		if property, ok := schema.Properties.Get(name); ok {
			property.Description = s.doc
			property.Minimum, property.Maximum = json.Number(strconv.Itoa(s.min)), json.Number(strconv.Itoa(s.max))
			if name != "channels" {
				property.Default = s.initial
			}
		}
	}
}

// flow is the layer in YAML, on one line.
func (l ConvLayer) flow() string {
	return fmt.Sprintf("{channels: %d, kernel: %d, stride: %d, padding: %d, pool: %d}", l.Channels, l.Kernel, l.Stride, l.Padding, l.Pool)
}

// Planes are the size of one case on its way through convolutions.
type Planes struct{ Channels, Height, Width int }

// ErrNoPlanes says that cases have no shape that convolutions could work on.
var ErrNoPlanes = errors.New("cases are not planes")

// PlanesOf returns what a data set's shape means to convolutions: [height, width] is
// one plane, [channels, height, width] are several. Other shapes are [ErrNoPlanes].
func PlanesOf(shape []int) (Planes, error) {
	switch len(shape) {
	case 2:
		return Planes{1, shape[0], shape[1]}, nil
	case 3:
		return Planes{shape[0], shape[1], shape[2]}, nil
	default:
		return Planes{}, fmt.Errorf("%w: they have the shape %v, want [height, width] or [channels, height, width]", ErrNoPlanes, shape)
	}
}

// Convolved is the size after the layer's convolution.
func (l ConvLayer) Convolved(p Planes) (Planes, error) {
	if problem := l.check(); problem != "" {
		return Planes{}, errors.New(problem)
	}
	if l.Kernel > min(p.Height, p.Width)+2*l.Padding {
		return Planes{}, fmt.Errorf("a kernel of %d does not fit planes of %d×%d with a padding of %d", l.Kernel, p.Height, p.Width, l.Padding)
	}
	return Planes{l.Channels, (p.Height+2*l.Padding-l.Kernel)/l.Stride + 1, (p.Width+2*l.Padding-l.Kernel)/l.Stride + 1}, nil
}

// Pooled is the size after the layer's max-pooling of what [ConvLayer.Convolved]
// gave. Rows and columns that are left over at the edge are dropped.
func (l ConvLayer) Pooled(p Planes) (Planes, error) {
	if l.Pool == 0 {
		return p, nil
	}
	if l.Pool > min(p.Height, p.Width) {
		return Planes{}, fmt.Errorf("a pool of %d does not fit planes of %d×%d", l.Pool, p.Height, p.Width)
	}
	return Planes{p.Channels, p.Height / l.Pool, p.Width / l.Pool}, nil
}

// ConvPlanes is the size after all layers. Its errors number the layer.
func ConvPlanes(p Planes, layers []ConvLayer) (Planes, error) {
	for i, l := range layers {
		convolved, err := l.Convolved(p)
		if err == nil {
			p, err = l.Pooled(convolved)
		}
		if err != nil {
			return Planes{}, fmt.Errorf("layer %d: %w", i+1, err)
		}
	}
	return p, nil
}

// normalize clears what another kind of model leaves without effect.
func (m *Model) normalize() {
	if m.Kind != convnet {
		m.Conv = nil
	}
}

const convnet = "convnet"

// checkConv checks convolutions against the kind of the model and, where that is
// known, the shape of the data.
func (d *decoder) checkConv() {
	const path = "model.conv"
	kinds, kindSwept := d.spec.Parameters["model.kind"]
	convnets := d.spec.Model.Kind == convnet && !kindSwept
	others := !convnets && !kindSwept
	for i := range kinds.Len() {
		convnets = convnets || kinds.At(i) == convnet
		others = others || kinds.At(i) != convnet
	}
	swept, isSwept := d.spec.Parameters[path]
	switch {
	case convnets && !isSwept && !d.given(path):
		d.problem(d.where("model.kind", "parameters.model.kind"), path, "is missing; a convnet needs its layers, such as conv: [{channels: 32, kernel: 3, padding: 1, pool: 2}]")
	case others && isSwept:
		d.problem(d.keys[join("parameters", path)], join("parameters", path), "has an effect only with model.kind: convnet, so trials would repeat; sweep no other kind beside it")
	case !convnets && d.given(path):
		d.problem(d.keys[path], path, "has no effect when model.kind is %s; remove it, or set kind: convnet", d.spec.Model.Kind)
	}
	planes, known := knownPlanes[d.spec.Data.Name]
	if !known {
		return
	}
	if _, err := ConvPlanes(planes, d.spec.Model.Conv); err != nil && !isSwept {
		d.problem(d.where(path), path, "%v, for the %d×%d of %s", err, planes.Height, planes.Width, d.spec.Data.Name)
	}
	if !isSwept || swept.IsRange() {
		return
	}
	for i, v := range swept.Values {
		layers := reflect.New(reflect.TypeFor[[]ConvLayer]()).Elem()
		if assign(layers, v) != "" || check(path, layers) != "" {
			continue // reported where values are checked
		}
		list, _ := layers.Interface().([]ConvLayer)
		if _, err := ConvPlanes(planes, list); err != nil {
			at := fmt.Sprintf("parameters.%s.values[%d]", path, i)
			d.problem(d.values[join("parameters", path+".values")].list[i].position, at, "%v, for the %d×%d of %s", err, planes.Height, planes.Width, d.spec.Data.Name)
		}
	}
}
