package s3_test

import (
	"fmt"
	"os"
	"testing"
)

// Credentials that the tests use, by the SDK's ordinary chain.
const (
	accessKey = "AKIDFORTESTS"
	secretKey = "secret-of-the-tests"
)

// TestMain keeps the settings of whoever runs the tests away from them.
func TestMain(m *testing.M) {
	for _, name := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS", "AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE"} {
		_ = os.Unsetenv(name) // it fails for names that are none
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": sdkAttempts,
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		if err := os.Setenv(name, value); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
