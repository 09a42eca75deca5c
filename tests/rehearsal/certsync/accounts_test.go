package certsync

import (
	"io"
	"net/http"
	"testing"

	gofastly "github.com/fastly/go-fastly/v12/fastly"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/fastly"
)

// Something between the cluster and Fastly may answer all questions alike. That is not an account without anything.
func TestAnAnswerWithoutDataIsNoEmptyList(t *testing.T) {
	t.Parallel()
	s := scenarios["first sync"](t)
	s.account.watch(func(_ int, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		_, _ = io.WriteString(w, `{}`)
		return true
	})
	s.account.sync(s.dir, "--timeout", "1s").requireFailure(t, "an answer of Fastly cannot be understood")
	require.Empty(t, s.account.writes())
}

// Names in use need not be all that a certificate is for: Fastly activates what an active service answers for.
func TestOnlyWhatANameNeedsIsActivated(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		domain:                             {domain},
		"www." + domain:                    {"*." + domain},
		"www." + domain + ",cdn." + domain: {"*." + domain},
		domain + ",www." + domain:          {domain, "*." + domain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := openAccount(t, t.TempDir(), fastly.Usual)
			a.newService("site", domain, "www."+domain, "cdn."+domain)
			dir := mount(t, map[string]*pair{domain: issue(domain, newKey(t))})
			a.sync(dir, "--names", name).requireInStep(t)
			activations, err := a.client.ListTLSActivations(t.Context(), &gofastly.ListTLSActivationsInput{})
			require.NoError(t, err)
			var activated []string
			for _, one := range activations {
				activated = append(activated, one.Domain.ID)
			}
			require.ElementsMatch(t, want, activated)
		})
	}
}

func TestAnAccountThatCannotHaveCertificatesIsTold(t *testing.T) {
	t.Parallel()
	dir := mount(t, map[string]*pair{domain: issue(domain, newKey(t))})
	openAccount(t, t.TempDir(), "trial").sync(dir).requireFailure(t, "Fastly refused to take the key", "set cdn.tls.mode to managed")
	openAccount(t, t.TempDir(), "without-tls").sync(dir).requireFailure(t, "the account has no default TLS configuration",
		"set TLS up once in Fastly's web interface")
}
