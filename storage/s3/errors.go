package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// Codes of errors that something is done about.
const (
	codeNoKey        = "NoSuchKey"
	codeNoBucket     = "NoSuchBucket"
	codeNoUpload     = "NoSuchUpload"
	codeExists       = "PreconditionFailed"
	codeConflict     = "ConditionalRequestConflict"
	codeInvalidRange = "InvalidRange"
)

// Codes of a store without room, of Amazon's relatives: S3 itself has none.
var fullCodes = []string{"QuotaExceeded", "InsufficientCapacity", "InsufficientStorage", "StorageFull", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "XMinioBucketQuotaExceeded"}

// Codes of refusals that do not come as 401 or 403.
var refusalCodes = []string{"InvalidToken", "InvalidAccessKeyId"}

// Codes of credentials that were good once.
var expiredCodes = []string{"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}

// Codes for a key that is an object and a prefix of others, or too long. S3 itself
// allows the former.
var badKeyCodes = []string{"ExistingObjectIsDirectory", "ObjectParentIsFile", "XMinioParentIsObject", "XMinioObjectExistsAsDirectory", "KeyTooLongError"}

// Codes that another try may mend, beside those that the SDK knows.
var transientCodes = []string{"InternalError", "ServiceUnavailable", "OperationAborted", "IncompleteBody", "BadDigest", "XAmzContentChecksumMismatch", "RequestTimeTooSkewed", codeConflict}

// code is the code and the HTTP status of a server's error, empty and 0 if it is
// none. The answer to a HEAD has no code of its own.
func code(err error) (string, int) {
	var status int
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return "", status
	}
	return api.ErrorCode(), status
}

func hasCode(err error, codes ...string) bool {
	c, _ := code(err)
	return slices.Contains(codes, c)
}

// isExists says whether a condition was not met.
func isExists(err error) bool {
	c, status := code(err)
	return c == codeExists || status == http.StatusPreconditionFailed
}

// isNotFound says whether there is no object of a key. That there is no bucket is
// another thing.
func isNotFound(err error) bool {
	c, status := code(err)
	return c == codeNoKey || (status == http.StatusNotFound && c != codeNoBucket && c != codeNoUpload)
}

func isDenied(err error) bool {
	c, status := code(err)
	return c != "RequestTimeTooSkewed" && !slices.Contains(fullCodes, c) &&
		(status == http.StatusUnauthorized || status == http.StatusForbidden || slices.Contains(refusalCodes, c))
}

// verdict settles whether another try may mend an error; the outermost counts.
type verdict struct {
	err   error
	again bool
}

func (v *verdict) Error() string { return v.err.Error() }
func (v *verdict) Unwrap() error { return v.err }

// again marks an error as one that another try may mend.
func again(err error) error { return &verdict{err, true} }

// final marks an error as one that was tried for long enough.
func final(err error) error {
	if err == nil {
		return nil
	}
	return &verdict{err, false}
}

// isTransient says whether another try may mend an error.
func isTransient(err error) bool {
	var v *verdict
	if errors.As(err, &v) {
		return v.again
	}
	c, status := code(err)
	if slices.Contains(fullCodes, c) || status == http.StatusInsufficientStorage {
		return false
	}
	var quota ratelimit.QuotaExceededError // of the SDK's retries
	var garbled *smithy.DeserializationError
	return slices.Contains(transientCodes, c) || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout ||
		errors.As(err, &quota) || errors.As(err, &garbled) || errors.Is(err, io.ErrUnexpectedEOF) ||
		retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary
}

// answerError is an error of the SDK or of the server in one line, with the
// backend's error that it amounts to.
type answerError struct {
	text  string
	kind  error // or nil
	cause error
}

func (e *answerError) Error() string {
	if e.kind != nil {
		return e.kind.Error() + ": " + e.text
	}
	return e.text
}

func (e *answerError) Unwrap() []error {
	if e.kind != nil {
		return []error{e.kind, e.cause}
	}
	return []error{e.cause}
}

// failed is what an operation returns for an error: the end of its context if that
// is what it comes from, else a line about it.
func failed(ctx context.Context, err error) error {
	if e := ctx.Err(); e != nil {
		if errors.Is(err, e) {
			return err
		}
		return e
	}
	var known *answerError
	if errors.As(err, &known) {
		return known // without what the transfer manager says around it
	}
	if isBackendError(err) {
		return err
	}
	c, status := code(err)
	e := &answerError{text: say(err), cause: err}
	switch {
	case slices.Contains(fullCodes, c) || status == http.StatusInsufficientStorage:
		e.kind = backend.ErrFull
	case slices.Contains(expiredCodes, c):
		e.kind = fmt.Errorf("%w: %w", backend.ErrPermission, backend.ErrExpired)
	case isDenied(err) || isUnsigned(err):
		e.kind = backend.ErrPermission
	case slices.Contains(badKeyCodes, c):
		e.kind = backend.ErrBadKey
	case isNotFound(err):
		e.kind = backend.ErrNotFound
	}
	return e
}

func isBackendError(err error) bool {
	return slices.ContainsFunc([]error{backend.ErrBadKey, backend.ErrExists, backend.ErrFull, backend.ErrNotFound, backend.ErrPermission},
		func(e error) bool { return errors.Is(err, e) })
}

// isUnsigned says whether a request was not sent for want of credentials. Where they
// come from a server that did not answer, another try may find them.
func isUnsigned(err error) bool {
	text := err.Error()
	return (strings.Contains(text, "get credentials") || strings.Contains(text, "get identity")) && !isTransient(err)
}

// say is the gist of an error of the SDK's, whose own text is a paragraph.
func say(err error) string {
	c, status := code(err)
	var api smithy.APIError
	var sent *url.Error
	text := err.Error()
	switch {
	case isUnsigned(err):
		text = "no credentials were found: set the AWS_* variables, a profile or the machine's role"
	case errors.As(err, &api) && c != "" && api.ErrorMessage() != "" && api.ErrorMessage() != c:
		text = fmt.Sprintf("%s (%d): %s", c, status, api.ErrorMessage())
	case c != "":
		text = fmt.Sprintf("%s (%d)", c, status)
	case errors.As(err, &sent):
		text = sent.Err.Error()
	case status > 0 && status != http.StatusOK:
		text = fmt.Sprintf("HTTP status %d", status)
	}
	return strings.Join(strings.Fields(text), " ")
}
