package internet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A visitor gets to a public name by its addresses, the second where the first does not answer, and nowhere else.
func TestPublicNamesAreReached(t *testing.T) {
	t.Parallel()
	site := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host, r.URL) })
	plain, encrypted := httptest.NewServer(site), httptest.NewTLSServer(site)
	t.Cleanup(plain.Close)
	t.Cleanup(encrypted.Close)
	listens := map[string]string{
		"192.0.2.2:80":  strings.TrimPrefix(plain.URL, "http://"),
		"192.0.2.2:443": strings.TrimPrefix(encrypted.URL, "https://"),
	}
	var dialer net.Dialer
	proxy, err := New(Options{
		Resolve: func(_ context.Context, name string) ([]netip.Addr, error) {
			if name != "example.com" {
				return nil, errors.New("no such host")
			}
			return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}, nil
		},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if listens[address] == "" {
				return nil, errors.New("nothing listens at " + address)
			}
			return dialer.DialContext(ctx, network, listens[address])
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	client := &http.Client{Transport: &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: proxy.Address()}),
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	get := func(address string) (string, error) {
		response, err := client.Get(address)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		page, err := io.ReadAll(response.Body)
		return string(page), err
	}
	for address, want := range map[string]string{
		"http://example.com/a": "example.com/a", "https://example.com/b": "example.com/b", "http://192.0.2.2/": "192.0.2.2/",
		"http://example.org/": "not to be reached: no such host\n",
	} {
		page, err := get(address)
		require.NoError(t, err)
		require.Equal(t, want, page)
	}
	_, err = get("https://192.0.2.1/")
	require.ErrorContains(t, err, "Bad Gateway")
	response, err := http.Get("http://" + proxy.Address())
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusBadRequest, response.StatusCode)
}
