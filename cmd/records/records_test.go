package main

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"lke-platform/components/dns/public"
)

// zone is what the name server says of example.org; the names below it have records of the types that are written.
var zone = map[string]dnsmessage.ResourceBody{
	"example.org. NS":                       &dnsmessage.NSResource{NS: dnsmessage.MustNewName("ns1.provider.example.")},
	"_acme-challenge.example.org. CNAME":    &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("_acme-challenge.example.org.example.com.")},
	"_acme-challenge.en.example.org. CNAME": &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("parked.example.net.")},
	"example.org. A":                        &dnsmessage.AResource{A: [4]byte{192, 0, 2, 7}},
	"example.org. AAAA":                     &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr("2001:db8::7").As16()},
	"old.example.org. A":                    &dnsmessage.AResource{A: [4]byte{203, 0, 113, 9}},
}

// serveZone answers as the name servers of a provider do, until the test ends.
func serveZone(t *testing.T) {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = socket.Close() })
	t.Setenv(public.ServerVariable, socket.LocalAddr().String())
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := socket.ReadFrom(buffer)
			var query dnsmessage.Message
			if err != nil || query.Unpack(buffer[:n]) != nil {
				return
			}
			packed, err := answer(query).Pack()
			if err != nil {
				return
			}
			_, _ = socket.WriteTo(packed, from)
		}
	}()
}

func answer(query dnsmessage.Message) *dnsmessage.Message {
	asked := query.Questions[0]
	said := &dnsmessage.Message{Header: dnsmessage.Header{
		ID: query.ID, Response: true, Authoritative: true, RCode: dnsmessage.RCodeNameError,
	}, Questions: query.Questions}
	for key, body := range zone {
		name, kind, _ := strings.Cut(key, " ")
		if name != asked.Name.String() {
			continue
		}
		said.RCode = dnsmessage.RCodeSuccess
		if kind == "CNAME" || "Type"+kind == asked.Type.String() {
			said.Answers = append(said.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: asked.Name, Class: dnsmessage.ClassINET, TTL: 300}, Body: body,
			})
		}
	}
	return said
}

// tell runs the command for a stack with outputs, and returns what it printed.
func tell(t *testing.T, outputs string) (printed string, err error) {
	t.Helper()
	machine := t.TempDir()
	script := "#!/bin/sh\n[ \"$*\" = 'stack output --stack prod --json' ] || exit 3\ncat <<'END'\n" + outputs + "\nEND\n"
	require.NoError(t, os.WriteFile(filepath.Join(machine, "pulumi"), []byte(script), 0o700))
	t.Setenv("PATH", machine+":"+os.Getenv("PATH"))
	var out strings.Builder
	err = run(t.Context(), "prod", &out)
	return out.String(), err
}

func TestEachRecordIsSetOrMissingOrWrong(t *testing.T) {
	serveZone(t)
	record := func(name, kind, values string) string {
		return `{"zone": "example.org", "name": "` + name + `", "type": "` + kind + `", "values": [` + values + `], "why": "because"}`
	}
	good := []string{
		record("_acme-challenge.example.org", "CNAME", `"_acme-challenge.example.org.example.com"`),
		record("example.org", "A", `"192.0.2.7"`), record("example.org", "AAAA", `"2001:DB8:0::7"`),
	}
	printed, err := tell(t, `{"url": "x", "dnsRecords": [`+strings.Join(good, ", ")+`]}`)
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(printed, "\nset  "), printed)

	bad := slices.Concat(good, []string{
		record("_acme-challenge.en.example.org", "CNAME", `"_acme-challenge.en.example.org.example.com"`),
		record("en.example.org", "A", `"192.0.2.8", "192.0.2.7"`), record("old.example.org", "A", `"192.0.2.7"`),
	})
	printed, err = tell(t, `{"dnsRecords": [`+strings.Join(bad, ", ")+`]}`)
	require.EqualError(t, err, "3 of 6 are not as they should be; set them at the provider of the zone, from the top")
	for _, line := range []string{
		`set +_acme-challenge\.example\.org +CNAME +_acme-challenge\.example\.org\.example\.com +because\n`,
		`wrong \(parked\.example\.net\) +_acme-challenge\.en\.example\.org +CNAME`,
		`missing +en\.example\.org +A +192\.0\.2\.8 +because\n +en\.example\.org +A +192\.0\.2\.7 *\n`,
		`wrong \(203\.0\.113\.9\) +old\.example\.org +A +192\.0\.2\.7`,
	} {
		require.Regexp(t, line, printed)
	}
}

func TestAStackWithoutSuchZonesHasNothingToSet(t *testing.T) {
	printed, err := tell(t, `{"url": "https://example.com"}`)
	require.NoError(t, err)
	require.Contains(t, printed, "nothing to set by hand")
}

func TestADomainThatNobodyServesIsToldOf(t *testing.T) {
	serveZone(t)
	printed, err := tell(t, `{"dnsRecords": [{"zone": "no.example", "name": "no.example", "type": "A", "values": ["192.0.2.7"]}]}`)
	require.Error(t, err)
	require.Contains(t, printed, "unknown (finding the name servers of no.example: there are none; is the domain registered?)")
}
