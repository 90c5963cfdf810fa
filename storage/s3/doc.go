// Package s3 keeps objects in a bucket of Amazon S3, or of a server that speaks
// its protocol. It is the store of a cluster.
//
// # How a write becomes an object
//
// S3 shows an object whole or not at all, so a small object is one request and a
// large one is an upload in parts that its completion makes visible. PutIfAbsent
// adds the condition If-None-Match: *, on the one request or on the completion, and
// the server lets one of any number of callers win.
//
// An answer may be lost on the way, and then the same write, sent again, finds itself
// there. So a conditional write and an upload in parts carry a random tag in the
// object's metadata: whoever is told "it is there" or "no such upload" looks at the
// tag, and takes its own for success.
//
// # How a read is known to be whole
//
// Every write has a checksum of the whole object, which the server checks and which
// is compared at the end of a read. A small object is read to its end before Get
// returns. A reader of a large one that breaks off goes on from where it was, on
// the same version or with an error.
//
// # Patience
//
// The SDK tries a request a few times within seconds. Around it every operation goes on
// trying, with growing pauses, for as long as [Options] says: minutes, so that a
// store that is down for two of them stops nothing. What another try cannot mend (no
// permission, no bucket, no room) is returned at once, and the end of a context ends
// everything. Requests that hang are given up when no byte has moved for a while.
//
// Start reading at s3.go; url.go is the store's URL, scope.go the credentials that a
// trial may be given. What the objects mean is no business of this package: that is
// package storage.
package s3
