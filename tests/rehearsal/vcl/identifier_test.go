package vcl

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

const identifier = `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$`

// What a visitor says of the identifier of his request is nobody's business: he could have two requests look like one.
func TestARequestHasOneIdentifierFromTheEdgeToTheOrigin(t *testing.T) {
	t.Parallel()
	service := newService(t, nil)
	service.Logs = map[string]Log{"edge": {Statement: "fastly.ff.visits_this_service == 0", Format: "%{X-Request-Id}i"}}
	f := Start(t, service)
	seen := map[string]bool{}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for range 2 {
			answer := f.Ask(t, method, "https://example.com/", http.Header{
				"X-Request-Id": {"forged"}, "X_request_id": {"forged"}, "X-Request_id": {"forged"}, "Cookie": {"_changelog_key=abc"},
			})
			asked := f.Servers["origin"].Asked
			got := asked[len(asked)-1].Header
			require.Regexp(t, identifier, got.Get("X-Request-Id"))
			require.Equal(t, got.Get("X-Request-Id"), answer.Logs["edge"], "through the shield it stays what it is")
			require.NotContains(t, got, "X_request_id")
			require.NotContains(t, got, "X-Request_id")
			seen[got.Get("X-Request-Id")] = true
		}
	}
	require.Len(t, seen, 4)
}

// A second try is the same request.
func TestASecondTryHasTheIdentifierOfTheFirst(t *testing.T) {
	t.Parallel()
	f := Start(t, newService(t, nil))
	f.Servers["origin"].Status = http.StatusBadGateway
	f.Ask(t, http.MethodGet, "https://example.com/", nil)
	asked := f.Servers["origin"].Asked
	require.Len(t, asked, 2, "through the shield, and past it")
	require.Regexp(t, identifier, asked[0].Header.Get("X-Request-Id"))
	require.Equal(t, asked[0].Header.Get("X-Request-Id"), asked[1].Header.Get("X-Request-Id"))
}
