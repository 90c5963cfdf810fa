package nomad

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/contract"
)

// statusOf is the HTTP status of an error of Nomad's client and what came with it;
// 0 if there was no answer.
func statusOf(err error) (code int, body string) {
	var u api.UnexpectedResponseError
	if errors.As(err, &u) {
		return u.StatusCode(), contract.OneLine(u.Body())
	}
	return 0, ""
}

// denied makes an ErrDenied of a 403, and leaves other errors as they are.
func denied(err error, address string) error {
	if code, body := statusOf(err); code == http.StatusForbidden {
		return fmt.Errorf("%w: Nomad at %s says %q; check NOMAD_TOKEN, when it expires and what its policies allow", activities.ErrDenied, address, body)
	}
	return err
}

// passing says that an error may be gone when the same is tried again: nobody
// answered, or the cluster has no leader just now. Nomad answers most mistakes with
// 500, so of those only the ones that are known are.
func passing(err error) bool {
	if errors.Is(err, activities.ErrDenied) {
		return false
	}
	code, body := statusOf(err)
	switch code {
	case 0:
		var certificate *tls.CertificateVerificationError
		var authority x509.UnknownAuthorityError
		var name x509.HostnameError
		return !errors.As(err, &certificate) && !errors.As(err, &authority) && !errors.As(err, &name) && !errors.Is(err, context.Canceled)
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return true
	case http.StatusInternalServerError:
		body = strings.ToLower(body)
		for _, sign := range []string{
			"no cluster leader", "no path to region", "leadership", "not the leader", "not ready to serve",
			"eof", "connection refused", "connection reset", "broken pipe", "session shutdown", "i/o timeout",
			"timed out", "timeout", "raft", "rate limit", "shutting down", "no servers", "failed to get conn", "rpc error making call: rpc error",
		} {
			if strings.Contains(body, sign) {
				return true
			}
		}
	}
	return false
}

// exists says that registering was refused since the job is there.
func exists(err error) bool {
	_, body := statusOf(err)
	return strings.Contains(body, "job already exists")
}

// absent says that there is no such thing.
func absent(err error) bool {
	code, _ := statusOf(err)
	return code == http.StatusNotFound
}
