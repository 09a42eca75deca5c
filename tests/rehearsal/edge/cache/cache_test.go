package cache

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func kept(body string, header http.Header) *Object {
	return &Object{Status: http.StatusOK, Header: header, Body: []byte(body), Stored: time.Now(), TTL: time.Hour, StaleIfError: time.Hour}
}

func TestWhatIsPurgedWhileItIsFetchedIsNotKept(t *testing.T) {
	t.Parallel()
	for name, purge := range map[string]func(*Cache){
		"everything": func(c *Cache) { c.Purge(nil, false) },
		"by its key": func(c *Cache) { c.Purge([]string{"b"}, true) },
		"its place":  func(c *Cache) { c.PurgeKey("page", false) },
	} {
		t.Run(name, func(t *testing.T) {
			c := New()
			begun := time.Now()
			purge(c)
			c.Put("page", kept("old", http.Header{"Surrogate-Key": {"a b"}}), begun)
			found, _ := c.Get("page", nil)
			require.Nil(t, found)
			c.Put("page", kept("new", http.Header{"Surrogate-Key": {"a b"}}), time.Now().Add(time.Nanosecond))
			found, hits := c.Get("page", nil)
			require.Equal(t, "new", string(found.Body))
			require.Equal(t, 1, hits)
		})
	}
}

func TestASoftPurgeLeavesWhatMayStillBeNeeded(t *testing.T) {
	t.Parallel()
	c := New()
	begun := time.Now()
	c.Put("page", kept("old", http.Header{}), begun)
	c.Put("passed", &Object{Stored: begun, TTL: time.Hour, Pass: true, Header: http.Header{}}, begun)
	c.Purge(nil, true)
	found, _ := c.Get("page", nil)
	require.False(t, found.Fresh(time.Now()))
	require.True(t, found.StaleFor(time.Now(), time.Minute))
	found, _ = c.Get("passed", nil)
	require.Nil(t, found)
}

func TestCopiesAreKeptForWhatTheyVaryIn(t *testing.T) {
	t.Parallel()
	c := New()
	begun := time.Now()
	answer := http.Header{"Vary": {"accept-encoding, X-Device"}}
	zipped := http.Header{"Accept-Encoding": {"gzip"}}
	for body, request := range map[string]http.Header{"zipped": zipped, "plain": {}} {
		object := kept(body, answer)
		object.Request = VariesIn(answer, request)
		c.Put("page", object, begun)
	}
	found, _ := c.Get("page", zipped)
	require.Equal(t, "zipped", string(found.Body))
	found, _ = c.Get("page", http.Header{"Cookie": {"a=1"}})
	require.Equal(t, "plain", string(found.Body))
	found, _ = c.Get("page", http.Header{"X-Device": {"phone"}})
	require.Nil(t, found)
}

func TestHowLongAnswersAreGood(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		header   http.Header
		expected Freshness
	}{
		"nothing said": {http.Header{}, Freshness{TTL: 2 * time.Minute}},
		"for caches in between": {
			http.Header{"Surrogate-Control": {"max-age=60, stale-if-error=3600"}, "Cache-Control": {"max-age=5, stale-while-revalidate=30"}},
			Freshness{time.Minute, 30 * time.Second, time.Hour},
		},
		"shared":  {http.Header{"Cache-Control": {"max-age=5, s-maxage=60"}, "Age": {"10"}}, Freshness{TTL: 50 * time.Second}},
		"a date":  {http.Header{"Expires": {at.Add(time.Hour).Format(http.TimeFormat)}}, Freshness{TTL: time.Hour}},
		"no date": {http.Header{"Expires": {"0"}}, Freshness{}},
	} {
		require.Equal(t, row.expected, Read(row.header, at), name)
	}
}
