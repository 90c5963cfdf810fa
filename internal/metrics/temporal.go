package metrics

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// Temporal is what the client of Temporal's SDK, and the workers made with it, report
// to. Their metrics keep the SDK's names, which begin with temporal_; counters end in
// _total and times in _seconds, as Prometheus has it.
func (m *Metrics) Temporal() client.MetricsHandler { return sdkHandler{metrics: m.sdk} }

// sdkMetrics collects what the SDK reports. The SDK uses one name with different tags,
// which Prometheus' vectors do not allow, so there is a vector for each set of tags.
// Describe describes none of them: they are not known before they are used.
type sdkMetrics struct {
	mu       sync.Mutex
	counters map[string]*prometheus.CounterVec // by name and tags
	gauges   map[string]*prometheus.GaugeVec
	timers   map[string]*prometheus.HistogramVec
}

func newSDKMetrics() *sdkMetrics {
	return &sdkMetrics{
		counters: map[string]*prometheus.CounterVec{},
		gauges:   map[string]*prometheus.GaugeVec{},
		timers:   map[string]*prometheus.HistogramVec{},
	}
}

// Describe implements prometheus.Collector.
func (*sdkMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (s *sdkMetrics) Collect(to chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.counters {
		v.Collect(to)
	}
	for _, v := range s.gauges {
		v.Collect(to)
	}
	for _, v := range s.timers {
		v.Collect(to)
	}
}

// vector finds the vector of a name and tags, or makes it.
func vector[V any](s *sdkMetrics, in map[string]V, name string, tags []string, fresh func() V) V {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := name + " " + strings.Join(tags, ",")
	v, ok := in[key]
	if !ok {
		v = fresh()
		in[key] = v
	}
	return v
}

// sdkHandler implements client.MetricsHandler for one set of tags.
type sdkHandler struct {
	metrics *sdkMetrics
	tags    map[string]string
}

// WithTags implements client.MetricsHandler.
func (h sdkHandler) WithTags(more map[string]string) client.MetricsHandler {
	tags := make(map[string]string, len(h.tags)+len(more))
	maps.Copy(tags, h.tags)
	for k, v := range more {
		tags[clean(k)] = v
	}
	return sdkHandler{h.metrics, tags}
}

func (h sdkHandler) names() []string { return slices.Sorted(maps.Keys(h.tags)) }

// Counter implements client.MetricsHandler.
func (h sdkHandler) Counter(name string) client.MetricsCounter {
	name = suffixed(name, "_total")
	names := h.names()
	c := vector(h.metrics, h.metrics.counters, name, names, func() *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help(name)}, names)
	}).With(h.tags)
	return counter{c}
}

// Gauge implements client.MetricsHandler.
func (h sdkHandler) Gauge(name string) client.MetricsGauge {
	name = clean(name)
	names := h.names()
	return gauge{vector(h.metrics, h.metrics.gauges, name, names, func() *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help(name)}, names)
	}).With(h.tags)}
}

// Timer implements client.MetricsHandler.
func (h sdkHandler) Timer(name string) client.MetricsTimer {
	name = suffixed(name, "_seconds")
	names := h.names()
	return timer{vector(h.metrics, h.metrics.timers, name, names, func() *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name, Help: help(name), Buckets: prometheus.ExponentialBuckets(0.002, 4, 10), // to 9 minutes
		}, names)
	}).With(h.tags)}
}

type counter struct{ prometheus.Counter }

// Inc implements client.MetricsCounter; less than nothing is not counted.
func (c counter) Inc(n int64) { c.Add(max(0, float64(n))) }

type gauge struct{ prometheus.Gauge }

// Update implements client.MetricsGauge.
func (g gauge) Update(v float64) { g.Set(v) }

type timer struct{ prometheus.Observer }

// Record implements client.MetricsTimer.
func (t timer) Record(d time.Duration) { t.Observe(d.Seconds()) }

func help(name string) string { return "Of Temporal's SDK: " + name + "." }

// suffixed is a clean name with a suffix, which the SDK's may have already.
func suffixed(name, suffix string) string {
	return strings.TrimSuffix(clean(name), suffix) + suffix
}

// clean replaces what Prometheus' names do not allow.
func clean(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
}
