package plugins_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"lke-platform/tests/rehearsal/plugins"
)

func TestServe(t *testing.T) {
	t.Parallel()
	made := 0
	debugProviders, stop, err := plugins.Serve(map[string]plugins.Constructor{
		"good": func(*provider.HostClient) (pulumirpc.ResourceProviderServer, error) {
			made++
			return &pulumirpc.UnimplementedResourceProviderServer{}, nil
		},
		"bad": func(*provider.HostClient) (pulumirpc.ResourceProviderServer, error) {
			return nil, errors.New("out of order")
		},
	})
	require.NoError(t, err)
	require.Regexp(t, `^bad:\d+,good:\d+$`, debugProviders)

	dial := func(name string) pulumirpc.ResourceProviderClient {
		_, address, _ := strings.Cut(","+debugProviders, ","+name+":")
		port, _, _ := strings.Cut(address, ",")
		conn, err := grpc.NewClient("127.0.0.1:"+port, grpc.WithTransportCredentials(insecure.NewCredentials()))
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		return pulumirpc.NewResourceProviderClient(conn)
	}
	good, other := dial("good"), dial("good")
	for _, client := range []pulumirpc.ResourceProviderClient{good, good, other} {
		_, err = client.Handshake(t.Context(), &pulumirpc.ProviderHandshakeRequest{})
		require.ErrorContains(t, err, "not implemented")
	}
	require.Equal(t, 2, made, "one provider for each connection")
	_, err = dial("bad").Handshake(t.Context(), &pulumirpc.ProviderHandshakeRequest{})
	require.ErrorContains(t, err, "out of order")

	stop()
	_, err = good.Handshake(t.Context(), &pulumirpc.ProviderHandshakeRequest{})
	require.Error(t, err)
}
