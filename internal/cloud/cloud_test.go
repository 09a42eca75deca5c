package cloud

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// answers are what a cloud says, one after the other.
type answers []func() (*http.Response, error)

func (a *answers) RoundTrip(*http.Request) (*http.Response, error) {
	next := (*a)[0]
	*a = (*a)[1:]
	return next()
}

func says(status int, body string, header ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		response := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
		for i := 0; i < len(header); i += 2 {
			response.Header.Set(header[i], header[i+1])
		}
		return response, nil
	}
}

func lost() (*http.Response, error) { return nil, errors.New("connection reset by peer") }

func TestABusyCloudIsAskedAgain(t *testing.T) {
	fine := says(http.StatusOK, `{"id": 7}`)
	for name, test := range map[string]struct {
		answers
		takes time.Duration
		fails string
	}{
		"at once":                      {answers{fine}, 0, ""},
		"out of order, then lost":      {answers{says(503, ""), lost, fine}, 2 * time.Second, ""},
		"half an answer":               {answers{says(200, `{"id": `), fine}, time.Second, ""},
		"it says when":                 {answers{says(429, "", "Retry-After", "40"), fine}, 40 * time.Second, ""},
		"it says never":                {answers{says(429, "", "Retry-After", "3600")}, 0, "GET /x is answered 429 Too Many Requests; ask again in 1h0m0s"},
		"out of order for long":        {answers{says(500, ""), says(502, ""), says(500, ""), says(502, "")}, 3 * time.Second, "answered 502"},
		"refused":                      {answers{says(403, `{"errors": [{"reason": "Not yours"}]}`)}, 0, "GET /x is answered 403 Forbidden; Not yours"},
		"it takes longer than is left": {answers{says(429, "", "Retry-After", "50"), says(429, "", "Retry-After", "50")}, 50 * time.Second, "answered 429"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client.Transport = &test.answers
				ctx, stop := context.WithTimeout(t.Context(), 90*time.Second)
				defer stop()
				begin := time.Now()
				var answer struct{ ID int }
				err := API{}.Get(ctx, "/x", &answer)
				if test.fails == "" {
					require.NoError(t, err)
					require.Equal(t, 7, answer.ID)
				} else {
					require.ErrorContains(t, err, test.fails)
				}
				require.Equal(t, test.takes, time.Since(begin))
				require.Empty(t, test.answers)
			})
		})
	}
}

func TestWhatIsGoneIsDeleted(t *testing.T) {
	client.Transport = &answers{says(404, ""), says(404, "")}
	require.NoError(t, API{}.Delete(t.Context(), "/x"))
	require.True(t, IsAbsent(API{}.Get(t.Context(), "/x", nil)))
}
