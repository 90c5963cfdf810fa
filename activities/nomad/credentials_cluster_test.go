//go:build cluster

package nomad

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/internal/testcluster"
	"github.com/tenfold-ml/tenfold/internal/testcluster/clustertest"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// issuer stands for a security token service, and remembers what it was asked.
type issuer struct {
	mu     sync.Mutex
	policy string
}

const issuedSecret = "an-issued-secret"

func (i *issuer) Assume(_ context.Context, _, _, policy string, d time.Duration) (aws.Credentials, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.policy = policy
	return aws.Credentials{AccessKeyID: "AKIDTRIAL", SecretAccessKey: issuedSecret, SessionToken: "t", CanExpire: true, Expires: time.Now().Add(d)}, nil
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	n := clustertest.Nomad(t, testcluster.NomadOptions{ACL: true, Clients: make([]testcluster.ClientOptions, 1)})
	store, err := storage.Open(t.Context(), "s3://bucket/p?endpoint=http://127.0.0.1:1&region=us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, n, func(s *sweeps.Nomad) {
		s.Credentials = sweeps.NomadCredentials{RoleARN: "arn:aws:iam::1:role/trial", Duration: sweeps.Duration(time.Hour)}
	})
	var service issuer
	b.Launcher = open(t, n, Options{Store: store, Credentials: &service}).Launcher(b.spec)
	j := b.job("a", 1)
	j.Command = []string{"/bin/sh", "-c", `cat "$NOMAD_SECRETS_DIR/credentials.json"; echo; echo up; cat "$AWS_CONFIG_FILE" >&2; exec sleep 600`}
	if _, err := b.Launch(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	b.until("a", func(u activities.JobUpdate) bool {
		return strings.Contains(u.Line, `"SecretAccessKey":"`+issuedSecret+`"`) && strings.Contains(u.Line, `"Version":1`)
	})
	if !strings.Contains(service.policy, "trials/a/*") {
		t.Errorf("policy %s", service.policy)
	}
	job, _, err := n.API().Jobs().Info(jobID(key("a"), 1), &api.QueryOptions{Namespace: b.spec.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), issuedSecret) {
		t.Errorf("the job holds a secret: %s", text)
	}
	if err := b.Stop(t.Context(), key("a")); err != nil {
		t.Fatal(err)
	}
	if exit := b.end("a"); !strings.Contains(exit.Stderr, "credential_process = cat") {
		t.Errorf("the SDK's configuration: %q", exit.Stderr)
	}
	_, _, err = n.API().Variables().Peek(variablePath(jobID(key("a"), 1)), &api.QueryOptions{Namespace: b.spec.Namespace})
	if err != nil && !errors.Is(err, api.ErrVariablePathNotFound) {
		t.Fatal(err)
	}
	if v, _, _ := n.API().Variables().Peek(variablePath(jobID(key("a"), 1)), &api.QueryOptions{Namespace: b.spec.Namespace}); v != nil {
		t.Error("the credentials stay behind")
	}
}
