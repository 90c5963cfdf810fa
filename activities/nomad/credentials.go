package nomad

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/s3"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// CredentialSource makes credentials that do not last.
type CredentialSource interface {
	// Assume returns credentials for a role, named session in its logs, that reach no
	// further than policy does (JSON, as IAM has it).
	Assume(ctx context.Context, role, session, policy string, duration time.Duration) (aws.Credentials, error)
}

// securityTokens asks AWS's security token service, with this process's credentials.
type securityTokens struct{}

// Assume implements CredentialSource.
func (securityTokens) Assume(ctx context.Context, role, session, policy string, duration time.Duration) (aws.Credentials, error) {
	config, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(awshttp.NewBuildableClient()))
	if err != nil {
		return aws.Credentials{}, err
	}
	out, err := sts.NewFromConfig(config).AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn: &role, RoleSessionName: &session, Policy: &policy, DurationSeconds: aws.Int32(int32(duration / time.Second)),
	})
	if err != nil {
		return aws.Credentials{}, err
	}
	c := out.Credentials
	return aws.Credentials{
		AccessKeyID: aws.ToString(c.AccessKeyId), SecretAccessKey: aws.ToString(c.SecretAccessKey),
		SessionToken: aws.ToString(c.SessionToken), CanExpire: true, Expires: aws.ToTime(c.Expiration),
	}, nil
}

// renewEvery is how often it is looked for credentials that are half through.
const renewEvery = 30 * time.Second

// lease is a run's credentials.
type lease struct {
	spec  sweeps.NomadCredentials
	renew time.Time
}

// lend notes that a run has credentials, to be renewed after a while.
func (f *feed) lend(r *run, spec sweeps.NomadCredentials, after time.Duration) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	r.lease = lease{spec, time.Now().Add(after)}
}

// provide puts a trial's credentials where only its job may read them. They are in no
// job, and go with it.
func (c *Cluster) provide(ctx context.Context, f *feed, spec sweeps.NomadCredentials, key activities.JobKey, id string) error {
	if spec.RoleARN == "" {
		return nil
	}
	policy, err := policyFor(c.opts.Store.URL(), key.Trial)
	if err != nil {
		return err
	}
	credentials, err := c.opts.Credentials.Assume(ctx, spec.RoleARN, "tenfold-"+string(key.Trial), policy, time.Duration(spec.Duration))
	if err != nil {
		return fmt.Errorf("assume role %s for a trial: %w", spec.RoleARN, err)
	}
	text, err := json.Marshal(processCredentials{
		Version: 1, AccessKeyID: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey,
		SessionToken: credentials.SessionToken, Expiration: credentials.Expires.UTC().Format(time.RFC3339),
	})
	if err != nil {
		return err
	}
	return c.call(ctx, "hand credentials to job "+id, func(ctx context.Context) error {
		_, _, err := c.client.Variables().Create(&api.Variable{
			Namespace: f.namespaceOrDefault(), Path: variablePath(id),
			Items: api.VariableItems{"credentials": string(text)},
		}, f.write(ctx))
		return err
	})
}

// processCredentials is what the SDKs read from a credential process.
type processCredentials struct {
	Version         int
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

// policyFor allows a trial to read the store's data sets and itself, and to write
// itself.
func policyFor(store string, trial sweeps.TrialID) (string, error) {
	at, err := s3.ParseURL(store)
	if err != nil {
		return "", fmt.Errorf("launcher.nomad.credentials: they are for a store on S3: %w", err)
	}
	bucket := "arn:aws:s3:::" + at.Bucket
	under := func(dir string) string { return strings.TrimPrefix(path.Join(at.Prefix, dir), "/") + "/*" }
	own, data := under(storage.TrialDir(trial)), under("datasets")
	type statement struct {
		Effect    string
		Action    []string
		Resource  []string
		Condition any `json:",omitempty"`
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []statement{
		{Effect: "Allow", Action: []string{"s3:GetObject"}, Resource: []string{bucket + "/" + own, bucket + "/" + data}},
		{Effect: "Allow", Action: []string{"s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"}, Resource: []string{bucket + "/" + own}},
		{
			Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: []string{bucket},
			Condition: map[string]any{"StringLike": map[string]any{"s3:prefix": []string{own, data}}},
		},
	}})
	return string(text), err
}

// renew keeps the credentials of the runs that are under way fresh, until the cluster
// is closed: each at half its time.
func (c *Cluster) renew() {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.ctx.Done():
			return
		}
		for _, r := range c.expiring(time.Now()) {
			err := c.provide(c.ctx, r.feed, r.lease.spec, r.key, r.id)
			if err != nil && c.ctx.Err() == nil {
				c.opts.Log.Warn("a trial's credentials cannot be renewed", "job", r.id, "error", err)
			}
			c.mu.Lock()
			if err == nil {
				r.lease.renew = time.Now().Add(time.Duration(r.lease.spec.Duration) / 2)
			}
			c.mu.Unlock()
		}
	}
}

// expiring are the runs whose credentials should be renewed.
func (c *Cluster) expiring(now time.Time) (runs []*run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.feeds {
		for _, r := range f.runs {
			if !r.ending && r.lease.spec.RoleARN != "" && now.After(r.lease.renew) {
				runs = append(runs, r)
			}
		}
	}
	return runs
}

// forget takes the credentials of a run that has ended back.
func (c *Cluster) forget(r *run) {
	if r.lease.spec.RoleARN == "" {
		return
	}
	err := c.call(c.ctx, "take back the credentials of job "+r.id, func(ctx context.Context) error {
		_, err := c.client.Variables().Delete(variablePath(r.id), r.feed.write(ctx))
		return err
	})
	if err != nil && c.ctx.Err() == nil {
		c.opts.Log.Warn("credentials stay behind until they expire", "job", r.id, "error", err)
	}
}
