package rig

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// Meter adds up how often and how long something was done.
type Meter struct{ count, total atomic.Int64 }

// Since adds the time since begin.
func (m *Meter) Since(begin time.Time) {
	m.count.Add(1)
	m.total.Add(int64(time.Since(begin)))
}

// Count is the number of additions.
func (m *Meter) Count() int { return int(m.count.Load()) }

// Total is the sum of all times. Things that were done at once each count.
func (m *Meter) Total() time.Duration { return time.Duration(m.total.Load()) }

// call is a gRPC interceptor that meters calls, but for those that wait for work.
func (m *Meter) call(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if !strings.Contains(method, "/Poll") && !strings.HasSuffix(method, "/GetWorkflowExecutionHistory") {
		defer m.Since(time.Now())
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}

// metered meters the calls of a backend that trials make.
type metered struct {
	backend.Backend
	meter *Meter
}

// Get implements backend.Backend.
func (m metered) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	defer m.meter.Since(time.Now())
	return m.Backend.Get(ctx, key)
}

// Put implements backend.Backend.
func (m metered) Put(ctx context.Context, key string, r io.Reader) error {
	defer m.meter.Since(time.Now())
	return m.Backend.Put(ctx, key, r)
}

// PutIfAbsent implements backend.Backend.
func (m metered) PutIfAbsent(ctx context.Context, key string, r io.Reader) error {
	defer m.meter.Since(time.Now())
	return m.Backend.PutIfAbsent(ctx, key, r)
}
