package cdn

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pulumi/pulumi-fastly/sdk/v8/go/fastly"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// userName is what browsers can send as the name of a user, and can stand in VCL as it is.
var userName = regexp.MustCompile(`^[A-Za-z0-9@._-]+$`)

// shortestPassword is in characters. Fastly can only hash a password once, so that guesses at one are fast.
const shortestPassword = 16

// passwordsName names the snippet and the table in it.
const passwordsName = "passwords"

func (a *Args) users() []string { return slices.Sorted(maps.Keys(a.BasicAuth)) }

func (a *Args) validateBasicAuth(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for _, user := range a.users() {
		at := path.Key(user)
		faults = append(faults, checkForm(at, user, userName, "must be letters, digits and the signs @ . _ -")...)
		faults = append(faults, check.SecretName(at, a.BasicAuth[user])...)
	}
	return faults
}

// passwords is the table of those that open the site. It holds a hash of what a browser sends and is a snippet of its own, so
// that it is secret and the program around it is not. The provider can fill no private dictionary, which would hide the hash from
// whoever may read the service, too.
// Upstream: https://registry.terraform.io/providers/fastly/fastly/latest/docs/resources/service_dictionary_items#limitations
func (a *Args) passwords() fastly.ServiceVclSnippetArray {
	users := a.users()
	if len(users) == 0 {
		return nil
	}
	values := make([]any, len(users))
	for i, user := range users {
		values[i] = a.secret(a.BasicAuth[user])
	}
	content := pulumi.All(values...).ApplyT(func(passwords []any) (string, error) {
		var table strings.Builder
		table.WriteString("table passwords {\n")
		for i, user := range users {
			password, _ := passwords[i].(string)
			if utf8.RuneCountInString(password) < shortestPassword {
				return "", fmt.Errorf("cdn.basicAuth[%s]: the password must have %d characters at least; one that nobody "+
					"guesses is made by: openssl rand -hex 16", user, shortestPassword)
			}
			fmt.Fprintf(&table, "  \"%s\": \"%s\",\n", a.passwordHash(user, password), user)
		}
		table.WriteString("}\n")
		return table.String(), nil
	}).(pulumi.StringOutput)
	return fastly.ServiceVclSnippetArray{fastly.ServiceVclSnippetArgs{
		Name: pulumi.String(passwordsName), Type: pulumi.String("init"), Content: content, Priority: pulumi.Int(1),
	}}
}

// passwordHash is what the program makes of what a browser sends.
func (a *Args) passwordHash(user, password string) string {
	hash := sha256.Sum256([]byte(a.Name + " " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))))
	return hex.EncodeToString(hash[:])
}
