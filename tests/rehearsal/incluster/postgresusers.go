package incluster

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// postgresUser is a role and its databases, of which the first one goes into its Secret.
type postgresUser struct {
	Name      string   `json:"name"`
	Databases []string `json:"databases"`
}

// userNames are those that the operator's definition allows.
var userNames = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// makeUser makes the Secret of a user, <cluster>-pguser-<user>, unless it is there.
func (c *cluster) makeUser(
	ctx context.Context, owner *unstructured.Unstructured, wanted *postgresCluster, user postgresUser,
) error {
	if !userNames.MatchString(user.Name) {
		return fmt.Errorf("spec.users: Invalid value: %q: must match %s", user.Name, userNames)
	}
	secrets, name := c.client.CoreV1().Secrets(wanted.Namespace), wanted.Name+"-pguser-"+user.Name
	if _, err := secrets.Get(ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return err
	}
	content, err := wanted.credentials(user)
	if err != nil {
		return err
	}
	_, err = secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{
				postgresPrefix + "cluster": wanted.Name, postgresPrefix + "pguser": user.Name, postgresPrefix + "role": "pguser",
			},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(owner, owner.GroupVersionKind())},
		},
		StringData: content,
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// credentials are what a client needs to connect, to the primary and through the pooler.
func (w *postgresCluster) credentials(user postgresUser) (map[string]string, error) {
	password := rand.Text()
	verifier, err := scram(password)
	if err != nil {
		return nil, err
	}
	content := map[string]string{"user": user.Name, "password": password, "verifier": verifier}
	if len(user.Databases) > 0 {
		content["dbname"] = user.Databases[0]
	}
	w.addServer(content, "", w.Name+"-primary", w.Spec.Port, nil)
	if pooler := w.Spec.Proxy.PGBouncer; pooler != nil {
		w.addServer(content, "pgbouncer-", w.Name+"-pgbouncer", pooler.Port, url.Values{"prepareThreshold": {"0"}})
	}
	return content, nil
}

// addServer adds the address of a Service and, where there is a database, URIs to connect with.
func (w *postgresCluster) addServer(content map[string]string, prefix, service string, port int, jdbc url.Values) {
	host := service + "." + w.Namespace + ".svc"
	content[prefix+"host"], content[prefix+"port"] = host, strconv.Itoa(port)
	if content["dbname"] == "" {
		return
	}
	address := url.URL{
		Scheme: "postgresql", User: url.UserPassword(content["user"], content["password"]),
		Host: net.JoinHostPort(host, strconv.Itoa(port)), Path: content["dbname"],
	}
	content[prefix+"uri"] = address.String()
	query := url.Values{"user": {content["user"]}, "password": {content["password"]}}
	for key, values := range jdbc {
		query[key] = values
	}
	address.Scheme, address.User, address.RawQuery = "jdbc:postgresql", nil, query.Encode()
	content[prefix+"jdbc-uri"] = address.String()
}

// scram returns what PostgreSQL keeps of a password:
// https://www.postgresql.org/docs/current/catalog-pg-authid.html
func scram(password string) (string, error) {
	const iterations = 4096
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	mac := func(text string) []byte {
		hash := hmac.New(sha256.New, salted)
		hash.Write([]byte(text))
		return hash.Sum(nil)
	}
	stored, encode := sha256.Sum256(mac("Client Key")), base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, encode(salt), encode(stored[:]), encode(mac("Server Key"))), nil
}
