package s3_test

import (
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/storage/s3"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]struct {
		at  s3.Location
		url string // "" if it is raw
	}{
		"s3://bucket":            {s3.Location{Bucket: "bucket"}, ""},
		"s3://bucket/":           {s3.Location{Bucket: "bucket"}, "s3://bucket"},
		"s3://my.bucket-1/a/b":   {s3.Location{Bucket: "my.bucket-1", Prefix: "a/b"}, ""},
		"s3://bucket/a/b/":       {s3.Location{Bucket: "bucket", Prefix: "a/b"}, "s3://bucket/a/b"},
		"s3://bucket?region=x-1": {s3.Location{Bucket: "bucket", Region: "x-1"}, ""},
		"s3://bucket/a?path_style=true&endpoint=http://10.0.0.1:9000": {
			s3.Location{Bucket: "bucket", Prefix: "a", Endpoint: "http://10.0.0.1:9000", PathStyle: true},
			"s3://bucket/a?endpoint=http%3A%2F%2F10.0.0.1%3A9000",
		},
		"s3://bucket?endpoint=https://s3.example.org&path_style=false": {
			s3.Location{Bucket: "bucket", Endpoint: "https://s3.example.org"},
			"s3://bucket?endpoint=https%3A%2F%2Fs3.example.org&path_style=false",
		},
		"s3://bucket?path_style=true": {s3.Location{Bucket: "bucket", PathStyle: true}, ""},
		"s3://bucket?storage_class=STANDARD_IA&sse_kms_key_id=alias/a&retry_mode=adaptive": {
			s3.Location{Bucket: "bucket", StorageClass: "STANDARD_IA", KMSKey: "alias/a", RetryMode: "adaptive"},
			"s3://bucket?storage_class=STANDARD_IA&sse_kms_key_id=alias%2Fa&retry_mode=adaptive",
		},
	} {
		at, err := s3.ParseURL(raw)
		if err != nil || at != want.at {
			t.Errorf("ParseURL(%s) = %+v, %v, want %+v", raw, at, err, want.at)
			continue
		}
		if want.url == "" {
			want.url = raw
		}
		if at.String() != want.url {
			t.Errorf("ParseURL(%s) is written %s, want %s", raw, at, want.url)
		}
		if again, err := s3.ParseURL(at.String()); err != nil || again != at {
			t.Errorf("ParseURL(%s) = %+v, %v, want %+v", at, again, err, at)
		}
	}
}

func TestParseBadURL(t *testing.T) {
	t.Parallel()
	const secret = "hunter22"
	for raw, want := range map[string]string{
		"s3:bucket":                      "s3://bucket/prefix",
		"s3:///prefix":                   "s3://bucket/prefix",
		"s3://b":                         `"b" is no bucket's name`,
		"s3://My_Bucket":                 "no bucket's name",
		"s3://bucket:9000":               "no bucket's name",
		"s3://key:hunter22@bucket":       "credentials do not belong in a URL",
		"s3://bucket/a//b":               `segment ""`,
		"s3://bucket/.tmp":               "reserved",
		"s3://bucket/a b":                `segment "a b"`,
		"s3://bucket/%zzhunter22":        "cannot be read",
		"s3://bucket#hunter22":           "#",
		"s3://bucket?region=%zzhunter22": "cannot be read",
		"s3://bucket?regoin=hunter22":    `there is no parameter "regoin"; there are endpoint, region`,
		"s3://bucket?region=":            "region is empty",
		"s3://bucket?region=a&region=b":  "region is given twice",
		"s3://bucket?region=EU%20west":   "no region's name",
		"s3://bucket?access_key_id=x":    "credentials do not belong in a URL (access_key_id)",
		"s3://bucket?X-Amz-Signature=hunter22&secret_access_key=hunter22": "credentials do not belong in a URL",
		"s3://bucket?endpoint=host:9000":                                  "such as http://host:9000",
		"s3://bucket?endpoint=ftp://host":                                 "such as http://host:9000",
		"s3://bucket?endpoint=http://me:hunter22@host":                    "credentials do not belong in a URL",
		"s3://bucket?endpoint=http://host?a=hunter22":                     "without ? and #",
		"s3://bucket?path_style=yes":                                      `true or false, not "yes"`,
		"s3://bucket?storage_class=GLACIER":                               "GLACIER_IR can",
		"s3://bucket?storage_class=cheap":                                 `"cheap" is no storage class`,
		"s3://bucket?sse_kms_key_id=a%20b":                                "a key's ID, alias or ARN",
		"s3://bucket?retry_mode=legacy":                                   `standard or adaptive, not "legacy"`,
	} {
		_, err := s3.ParseURL(raw)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseURL(%s): %v\nwant %s", raw, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), secret)) {
			t.Errorf("ParseURL(%s): the error has several lines or a secret: %v", raw, err)
		}
	}
}
