package letsencrypt

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/core"
	"github.com/miekg/dns"

	"lke-platform/tests/rehearsal/nameserver"
)

// Where Pebble has what.
const (
	challengePath = "/chalZ/"
	finalizePath  = "/finalize-order/"
	orderPath     = "/my-order/"
)

// ServeHTTP answers a request. Pebble looks at no CAA records, which say who may issue for a name. Let's Encrypt does so when a
// client says that a proof is there, and fails the challenge where it may not.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if order, isLast := strings.CutPrefix(r.URL.Path, finalizePath); isLast {
		w.Header().Set("Location", "https://"+r.Host+orderPath+order) // where clients look next, which Pebble does not say
	}
	id, isChallenge := strings.CutPrefix(r.URL.Path, challengePath)
	challenge := s.store.GetChallengeByID(id)
	if !isChallenge || challenge == nil || !isReply(r) {
		s.pebble.ServeHTTP(w, r)
		return
	}
	problem := s.forbidden(r.Context(), challenge.Authz.Identifier.Value)
	if problem == nil {
		s.pebble.ServeHTTP(w, r)
		return
	}
	fail(challenge, problem)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(challenge.Challenge) // fails only when the client is gone
}

// isReply tells a reply to a challenge from a look at it, which has an empty payload. The body can be read again.
func isReply(r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var signed struct{ Payload string }
	return err == nil && json.Unmarshal(body, &signed) == nil && signed.Payload != ""
}

// fail ends a challenge, and with it the order.
func fail(challenge *core.Challenge, problem *acme.ProblemDetails) {
	authorization := challenge.Authz
	authorization.Lock()
	challenge.Lock()
	authorization.Status, challenge.Status, challenge.Error = acme.StatusInvalid, acme.StatusInvalid, problem
	challenge.Unlock()
	authorization.Unlock()
	authorization.Order.Lock() // by itself: who looks at an order locks it first
	authorization.Order.Error = problem
	authorization.Order.Unlock()
}

// forbidden says why CAA records forbid to issue for a name, nil where they do not: the first name with such records counts, of
// those above too (RFC 8659).
func (s *Server) forbidden(ctx context.Context, name string) *acme.ProblemDetails {
	base, isWildcard := strings.CutPrefix(name, "*.")
	for at := base; at != ""; _, at, _ = strings.Cut(at, ".") {
		answer, err := nameserver.Ask(ctx, s.options.Resolver, at, dns.TypeCAA)
		if err != nil || answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError {
			return nil // nobody here has the names above the zones; where the zone is not served, there is no proof either
		}
		var records []*dns.CAA
		for _, record := range answer.Answer {
			if caa, isCAA := record.(*dns.CAA); isCAA {
				records = append(records, caa)
			}
		}
		if len(records) > 0 && !allowed(records, isWildcard) {
			return &acme.ProblemDetails{
				Type: "urn:ietf:params:acme:error:caa", HTTPStatus: http.StatusForbidden,
				Detail: fmt.Sprintf("While processing CAA for %s: CAA record for %s prevents issuance", name, at),
			}
		}
		if len(records) > 0 {
			return nil
		}
	}
	return nil
}

// allowed says whether one of the records for the sort of name, if there are any, names the authority.
func allowed(records []*dns.CAA, isWildcard bool) bool {
	byTag := map[string][]string{}
	for _, record := range records {
		issuer, _, _ := strings.Cut(record.Value, ";")
		tag := strings.ToLower(record.Tag)
		byTag[tag] = append(byTag[tag], strings.ToLower(strings.TrimSpace(issuer)))
	}
	issuers := byTag["issue"]
	if isWildcard && len(byTag["issuewild"]) > 0 {
		issuers = byTag["issuewild"]
	}
	return len(issuers) == 0 || slices.Contains(issuers, identity)
}
