package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// Other ways in which a Train activity may end than with an outcome.
const (
	// EndDetached is that of a run that this worker let go of: it was told to stop, or
	// the sweep has ended. The trainer may go on.
	EndDetached = "detached"
	// EndDenied is that of a run whose launcher refused access.
	EndDenied = "denied"
	// EndError is that of a run that ends its sweep.
	EndError = "error"
)

// Metrics are those of one worker. They are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	sdk      *sdkMetrics

	launches     *prometheus.CounterVec
	ends         *prometheus.CounterVec
	runs         *prometheus.GaugeVec
	queueTime    *prometheus.HistogramVec
	trialTime    *prometheus.HistogramVec
	storeTime    *prometheus.HistogramVec
	storeFailed  *prometheus.CounterVec
	storeBytes   *prometheus.CounterVec
	openLaunches *launchTimes
}

// Build says which worker it is.
type Build struct {
	Version, Deployment, BuildID string
}

// New makes the metrics of a worker, all at zero.
func New(b Build) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		sdk:      newSDKMetrics(),
		launches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tenfold_launches_total",
			Help: "Trainers that were asked for, by launcher and result: launched, attached (it ran already), denied, failed.",
		}, []string{"launcher", "result"}),
		ends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tenfold_runs_ended_total",
			Help: "Runs of trials that ended at this worker, by outcome: those of the spec's retries, and detached, denied, error.",
		}, []string{"outcome"}),
		runs: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tenfold_runs",
			Help: "Runs of trials that this worker watches now, by launcher and state: queued, running.",
		}, []string{"launcher", "state"}),
		queueTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tenfold_queue_seconds",
			Help:    "Time from the launch of a trainer until it runs.",
			Buckets: prometheus.ExponentialBuckets(0.05, 3, 13), // 50 ms to 7 hours
		}, []string{"launcher"}),
		trialTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tenfold_trial_seconds",
			Help:    "Time for which a trainer ran, however it ended.",
			Buckets: prometheus.ExponentialBuckets(0.5, 3, 13), // to 3 days
		}, []string{"launcher"}),
		storeTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tenfold_store_seconds",
			Help:    "Time that an operation of the store took, to the last byte. Trainers' own operations are not in it.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 3, 12), // to 90 s
		}, []string{"operation"}),
		storeFailed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tenfold_store_errors_total",
			Help: "Operations of the store that failed, by class: full, permission, timeout, other.",
		}, []string{"operation", "class"}),
		storeBytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tenfold_store_bytes_total",
			Help: "Bytes that were read from the store and written to it.",
		}, []string{"operation"}),
		openLaunches: newLaunchTimes(),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tenfold_build_info", Help: "Which worker this is; always 1.",
		ConstLabels: prometheus.Labels{"version": b.Version, "deployment": b.Deployment, "build_id": b.BuildID},
	})
	build.Set(1)
	m.registry.MustRegister(build, m.launches, m.ends, m.runs, m.queueTime, m.trialTime, m.storeTime, m.storeFailed,
		m.storeBytes, m.sdk, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, o := range []sweeps.Outcome{
		sweeps.OutcomeCompleted, sweeps.OutcomeDiverged, sweeps.OutcomeUserError,
		sweeps.OutcomePreempted, sweeps.OutcomeLost, sweeps.OutcomeInfra,
	} {
		m.ends.WithLabelValues(string(o)) // so that rates begin at zero
	}
	return m
}

// Ended counts the end of a run: a [sweeps.Outcome], or one of the constants.
func (m *Metrics) Ended(how string) { m.ends.WithLabelValues(how).Inc() }

// Handler serves the metrics as Prometheus reads them.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}
