package s3

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Scope is what a set of credentials is limited to. All are prefixes of keys that end at a
// segment: "trials/1234" is what is below it.
type Scope struct {
	// ReadWrite may be listed, read and written, but nothing there be deleted.
	ReadWrite []string
	// Delete may be deleted.
	Delete []string
	// Read may be read, by those who know the keys.
	Read []string
}

// Role is a role of AWS's to assume.
type Role struct {
	ARN string
	// Session names the session in logs of accesses: 2 to 64 of [A-Za-z0-9+=,.@_-].
	Session string
	// Duration is how long the credentials last: 15 minutes to what the role allows.
	Duration time.Duration
}

// Credentials are short-lived ones. They print as their time of expiry.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expires                                    time.Time
}

// String holds no secret.
func (c Credentials) String() string {
	return "credentials until " + c.Expires.UTC().Format(time.RFC3339)
}

// GoString holds no secret either.
func (c Credentials) GoString() string { return c.String() }

// Env is the credentials as the SDKs' environment variables.
func (c Credentials) Env() map[string]string {
	return map[string]string{
		"AWS_ACCESS_KEY_ID": c.AccessKeyID, "AWS_SECRET_ACCESS_KEY": c.SecretAccessKey, "AWS_SESSION_TOKEN": c.SessionToken,
	}
}

// AssumeRole asks the token service (STS) for credentials of a role that are limited to a
// scope of this store. What they may do is what both the role and the scope allow.
func (b *Backend) AssumeRole(ctx context.Context, role Role, scope Scope) (Credentials, error) {
	policy, err := b.Policy(scope)
	if err != nil {
		return Credentials{}, err
	}
	client := sts.NewFromConfig(b.config, func(o *sts.Options) {
		if b.opts.STS != "" {
			o.BaseEndpoint = aws.String(b.opts.STS)
		}
	})
	var out *sts.AssumeRoleOutput
	err = b.try(ctx, func() (err error) {
		out, err = client.AssumeRole(ctx, &sts.AssumeRoleInput{
			RoleArn: &role.ARN, RoleSessionName: &role.Session, Policy: &policy,
			DurationSeconds: aws.Int32(int32(role.Duration / time.Second)),
		})
		return err
	})
	if err != nil {
		return Credentials{}, fmt.Errorf("assume the role %s: %w", role.ARN, failed(ctx, err))
	}
	c := out.Credentials
	if c == nil || c.AccessKeyId == nil || c.SecretAccessKey == nil || c.SessionToken == nil {
		return Credentials{}, fmt.Errorf("assume the role %s: the token service gave no credentials", role.ARN)
	}
	return Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken, Expires: aws.ToTime(c.Expiration)}, nil
}

// statement is one of a policy's.
type statement struct {
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string][]string `json:",omitempty"`
}

// maxPolicy is how long a session's policy may be.
const maxPolicy = 2048

// Policy is the session policy, in JSON, that limits credentials to a scope.
func (b *Backend) Policy(scope Scope) (string, error) {
	allow := func(resources []string, actions ...string) statement {
		return statement{Effect: "Allow", Action: actions, Resource: resources}
	}
	var statements []statement
	if len(scope.ReadWrite) > 0 {
		listing := allow([]string{b.arn("")}, "s3:ListBucket")
		listing.Condition = map[string]map[string][]string{"StringLike": {"s3:prefix": b.below(scope.ReadWrite, b.at.key)}}
		statements = append(statements, listing,
			allow(b.below(scope.ReadWrite, b.objectARN), "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"))
	}
	if len(scope.Delete) > 0 {
		statements = append(statements, allow(b.below(scope.Delete, b.objectARN), "s3:DeleteObject"))
	}
	if len(scope.Read) > 0 {
		statements = append(statements, allow(b.below(scope.Read, b.objectARN), "s3:GetObject"))
	}
	if b.at.KMSKey != "" {
		// A key that is not given by its ARN is any that S3 uses: the role says which.
		key := b.at.KMSKey
		if !strings.HasPrefix(key, "arn:") {
			key = "*"
		}
		s := allow([]string{key}, "kms:GenerateDataKey", "kms:Decrypt")
		s.Condition = map[string]map[string][]string{"StringEquals": {"kms:ViaService": {"s3." + b.config.Region + ".amazonaws.com"}}}
		statements = append(statements, s)
	}
	policy, err := json.Marshal(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", statements})
	if err != nil {
		return "", fmt.Errorf("session policy: %w", err)
	}
	if len(policy) > maxPolicy {
		return "", fmt.Errorf("session policy: it has %d characters, more than %d; use a shorter prefix in the store's URL", len(policy), maxPolicy)
	}
	return string(policy), nil
}

// below is what is below some prefixes, each made a name by f.
func (b *Backend) below(prefixes []string, f func(string) string) []string {
	var all []string
	for _, p := range prefixes {
		all = append(all, f(p)+"/*")
	}
	return all
}

func (b *Backend) objectARN(key string) string { return b.arn("/" + b.at.key(key)) }

// arn names the bucket, or what is in it, in the region's part of AWS.
func (b *Backend) arn(path string) string {
	partition := "aws"
	switch {
	case strings.HasPrefix(b.config.Region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(b.config.Region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return "arn:" + partition + ":s3:::" + b.at.Bucket + path
}
