package storage_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/storage/s3"
	"github.com/tenfold-ml/tenfold/sweeps"
)

const scopedTrial = sweeps.TrialID("0123456789abcdef")

// TestTrialPolicy compares the policies of trials' credentials with testdata/policy.
func TestTrialPolicy(t *testing.T) {
	for name, url := range map[string]string{
		"plain":   "s3://bucket/store/one?region=eu-central-1",
		"kms":     "s3://bucket?region=us-gov-west-1&sse_kms_key_id=arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/1234abcd",
		"aliased": "s3://bucket/store?region=eu-central-1&sse_kms_key_id=alias/tenfold",
	} {
		at, err := s3.ParseURL(url)
		if err != nil {
			t.Fatal(err)
		}
		b, err := s3.Open(t.Context(), at, s3.Options{})
		if err != nil {
			t.Fatal(err)
		}
		policy, err := b.Policy(storage.TrialScope(scopedTrial))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got bytes.Buffer
		if err := json.Indent(&got, []byte(policy), "", "  "); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got.WriteByte('\n')
		want, err := os.ReadFile(filepath.Join("testdata", "policy", name+".json"))
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s: the policy is (-want +got)\n%s", name, diff)
		}
	}

	at := s3.Location{Bucket: "bucket", Region: "eu-central-1", Prefix: strings.Repeat("x/", 400) + "x"}
	b, err := s3.Open(t.Context(), at, s3.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Policy(storage.TrialScope(scopedTrial)); err == nil || !strings.Contains(err.Error(), "shorter prefix") {
		t.Errorf("a policy that is too long: %v", err)
	}
}

// TestTrialCredentials asks a stand-in of the token service.
func TestTrialCredentials(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDWORKER")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-worker's")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	var asked url.Values
	denied := false
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		asked = r.PostForm
		if denied {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>`)
			return
		}
		fmt.Fprint(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
			<AccessKeyId>ASIATRIAL</AccessKeyId><SecretAccessKey>a-trial's</SecretAccessKey><SessionToken>a-token</SessionToken>
			<Expiration>2030-01-02T03:04:05Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
	}))
	t.Cleanup(service.Close)
	at, err := s3.ParseURL("s3://bucket/store?region=eu-central-1")
	if err != nil {
		t.Fatal(err)
	}
	b, err := s3.Open(t.Context(), at, s3.Options{STS: service.URL})
	if err != nil {
		t.Fatal(err)
	}
	const role = "arn:aws:iam::111122223333:role/tenfold-trial"
	c, err := storage.New(b).TrialCredentials(t.Context(), scopedTrial, role, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if c.AccessKeyID != "ASIATRIAL" || c.SecretAccessKey != "a-trial's" || c.SessionToken != "a-token" || !c.Expires.Equal(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("the credentials are not those of the token service: %v", c)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", c, c, c, c); strings.Contains(text, "trial's") || strings.Contains(text, "a-token") {
		t.Errorf("credentials print themselves: %s", text)
	}
	policy, err := b.Policy(storage.TrialScope(scopedTrial))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Action": "AssumeRole", "RoleArn": role, "RoleSessionName": "tenfold-0123456789abcdef", "DurationSeconds": "3600", "Policy": policy,
	} {
		if got := asked.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}

	denied = true
	_, err = storage.New(b).TrialCredentials(t.Context(), scopedTrial, role, time.Hour)
	if !errors.Is(err, backend.ErrPermission) || !strings.Contains(err.Error(), role) || strings.Contains(err.Error(), "the-worker's") {
		t.Errorf("a role that may not be assumed: %v", err)
	}
	if _, err := storage.New(b).TrialCredentials(t.Context(), "../x", role, time.Hour); !errors.Is(err, storage.ErrInvalid) {
		t.Errorf("a bad trial: %v", err)
	}
	if _, err := storage.New(mem.New()).TrialCredentials(t.Context(), scopedTrial, role, time.Hour); !errors.Is(err, storage.ErrNoCredentials) {
		t.Errorf("a store in memory: %v", err)
	}
}
