// Package faultproxy is an HTTP proxy that misbehaves on purpose. It stands between a
// store on S3 and its users, in tests, and does what networks and servers do on bad days:
// refuses, answers "slow down", breaks off in the middle, loses an answer after
// the request was served, stands still, is gone for a while.
//
// Which request gets which fault is drawn from a seed, and how likely each is can be
// changed while it runs ([Proxy.Set]). The proxy knows nothing of S3 but the form of its
// error messages; requests pass with their Host, so that signatures hold.
//
// Start reading at proxy.go; faults.go says what each fault is.
package faultproxy
