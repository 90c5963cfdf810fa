//go:build !cluster

package s3_test

// sdkAttempts leaves trying again to this package, whose pauses are shorter.
const sdkAttempts = "1"
