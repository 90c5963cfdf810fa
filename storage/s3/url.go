package s3

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// Location is where a store is, and how to reach it, as its URL says:
//
//	s3://bucket/prefix?endpoint=…&region=…&path_style=…&storage_class=…&sse_kms_key_id=…&retry_mode=…
//
// What is empty is left to the SDK's ordinary chain: environment, profile, instance.
// Credentials are always left to it.
type Location struct {
	Bucket string
	// Prefix is what all keys begin with, without a slash at its ends; often empty.
	Prefix string
	// Endpoint is the server's URL; empty is Amazon's.
	Endpoint string
	Region   string
	// PathStyle has the bucket in the path of requests instead of in the host's
	// name. It is what servers of one's own want, so the default with an endpoint.
	PathStyle bool
	// StorageClass is what new objects get.
	StorageClass string
	// KMSKey is the key (ID, alias or ARN) that new objects are encrypted with, by
	// SSE-KMS.
	KMSKey string
	// RetryMode is the SDK's: "standard" or "adaptive".
	RetryMode string
}

// Parameters of a store's URL.
const (
	paramEndpoint     = "endpoint"
	paramRegion       = "region"
	paramPathStyle    = "path_style"
	paramStorageClass = "storage_class"
	paramKMSKey       = "sse_kms_key_id"
	paramRetryMode    = "retry_mode"
)

// params is the order in which String writes them.
var params = []string{paramEndpoint, paramRegion, paramPathStyle, paramStorageClass, paramKMSKey, paramRetryMode}

var (
	bucketName   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	regionName   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	className    = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	kmsKeyName   = regexp.MustCompile(`^[A-Za-z0-9:/_-]+$`)
	secretParams = regexp.MustCompile(`(?i)key|secret|token|password|credential|signature`)
)

// ParseURL reads a store's URL. Its errors are one line and never repeat what might
// be a secret: the part before an @ and the values of unknown parameters.
func ParseURL(raw string) (Location, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return Location{}, errors.New("the s3:// URL cannot be read; it is s3://bucket/prefix?endpoint=…, with %XX for odd characters")
	}
	shown := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	bad := func(format string, args ...any) (Location, error) {
		return Location{}, fmt.Errorf("%s: "+format, append([]any{shown}, args...)...)
	}
	switch {
	case u.User != nil:
		return bad("credentials do not belong in a URL; use the AWS_* variables, a profile or the machine's role")
	case u.Opaque != "" || u.Host == "":
		return Location{}, errors.New("an s3: URL is s3://bucket/prefix")
	case u.Fragment != "":
		return bad("a # has no meaning here")
	case !bucketName.MatchString(u.Host):
		return bad("%q is no bucket's name (3 to 63 of a-z, 0-9, '-' and '.')", u.Host)
	}
	l := Location{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/")}
	if l.Prefix != "" {
		if err := backend.CheckKey(l.Prefix); err != nil {
			return bad("the prefix: %w", err)
		}
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return bad("what stands after the ? cannot be read; it is name=value&name=value, with %%XX for odd characters")
	}
	for name, values := range query {
		switch {
		case !slices.Contains(params, name) && secretParams.MatchString(name):
			return bad("credentials do not belong in a URL (%s); use the AWS_* variables, a profile or the machine's role", name)
		case !slices.Contains(params, name):
			return bad("there is no parameter %q; there are %s", name, strings.Join(params, ", "))
		case len(values) > 1:
			return bad("%s is given twice", name)
		case values[0] == "":
			return bad("%s is empty; leave it out", name)
		}
	}
	l.Endpoint, l.Region, l.RetryMode = query.Get(paramEndpoint), query.Get(paramRegion), query.Get(paramRetryMode)
	l.StorageClass, l.KMSKey = query.Get(paramStorageClass), query.Get(paramKMSKey)
	l.PathStyle = l.Endpoint != ""
	if style := query.Get(paramPathStyle); style != "" {
		l.PathStyle = style == "true"
		if style != "true" && style != "false" {
			return bad("%s is true or false, not %q", paramPathStyle, style)
		}
	}
	if err := l.check(); err != nil {
		return bad("%w", err)
	}
	return l, nil
}

// check says what is wrong with the parameters' values.
func (l Location) check() error {
	if l.Endpoint != "" {
		e, err := url.Parse(l.Endpoint)
		switch {
		case err != nil || (e.Scheme != "http" && e.Scheme != "https") || e.Host == "":
			return fmt.Errorf("%s is a server's URL, such as http://host:9000", paramEndpoint)
		case e.User != nil:
			return fmt.Errorf("%s: credentials do not belong in a URL; use the AWS_* variables, a profile or the machine's role", paramEndpoint)
		case e.RawQuery != "" || e.Fragment != "":
			return fmt.Errorf("%s is a server's URL without ? and #", paramEndpoint)
		}
	}
	switch {
	case l.Region != "" && !regionName.MatchString(l.Region):
		return fmt.Errorf("%s %q is no region's name, such as eu-central-1", paramRegion, l.Region)
	case l.StorageClass == "GLACIER" || l.StorageClass == "DEEP_ARCHIVE":
		return fmt.Errorf("%s %s: its objects cannot be read at once; GLACIER_IR can", paramStorageClass, l.StorageClass)
	case l.StorageClass != "" && !className.MatchString(l.StorageClass):
		return fmt.Errorf("%s %q is no storage class, such as STANDARD_IA", paramStorageClass, l.StorageClass)
	case l.KMSKey != "" && !kmsKeyName.MatchString(l.KMSKey):
		return fmt.Errorf("%s is a key's ID, alias or ARN", paramKMSKey)
	case l.RetryMode != "" && l.RetryMode != "standard" && l.RetryMode != "adaptive":
		return fmt.Errorf("%s is standard or adaptive, not %q", paramRetryMode, l.RetryMode)
	}
	return nil
}

// String is the URL, the same for equal locations; it holds no secret.
func (l Location) String() string {
	values := map[string]string{
		paramEndpoint: l.Endpoint, paramRegion: l.Region, paramStorageClass: l.StorageClass,
		paramKMSKey: l.KMSKey, paramRetryMode: l.RetryMode,
	}
	if usual := l.Endpoint != ""; l.PathStyle != usual {
		values[paramPathStyle] = fmt.Sprint(l.PathStyle)
	}
	var query []string
	for _, name := range params {
		if values[name] != "" {
			query = append(query, name+"="+url.QueryEscape(values[name]))
		}
	}
	u := url.URL{Scheme: "s3", Host: l.Bucket, RawQuery: strings.Join(query, "&")}
	if l.Prefix != "" {
		u.Path = "/" + l.Prefix
	}
	return u.String()
}

// key is an object's key within the bucket.
func (l Location) key(key string) string {
	switch {
	case l.Prefix == "":
		return key
	case key == "":
		return l.Prefix
	}
	return l.Prefix + "/" + key
}
