package plan

import (
	"regexp"
	"strings"
)

// The engine blinds what it knows to be secret. What a provider, a chart or a program says is text to it, in which a secret can
// stand all the same.
var (
	colors      = regexp.MustCompile("<\\{%[^%]*%\\}>|\x1b\\[[0-9;]*m")
	privateKey  = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)`)
	userOfURL   = regexp.MustCompile(`([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s/@]+@`)
	credentials = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9+/_.~=-]{8,}`)
	assignment  = regexp.MustCompile(`(?i)(` + secretKey + `["']?\s*[:=]\s*["']?)[^\s"',;&}\]]+`)
	// linodeToken is what a token of Linode's looks like, which a digest does too.
	linodeToken = regexp.MustCompile(`(sha256[:-])?\b[0-9a-f]{64}\b`)
)

// secretKey is the end of a key whose value nobody may see.
const secretKey = `(?:passwor[dt]|passphrase|secret_?(?:access_?)?key|access_?key|api_?key|api_?token|auth_?token|` +
	`access_?token|private_?key|client_?secret|fastly-key)`

// namesSecret is the path of such a key, or of an entry of the list below it.
var namesSecret = regexp.MustCompile(`(?i)` + secretKey + `(\[[^\]]*\])?$`)

// Plain takes colours from text, and what looks like a secret.
func Plain(text string) string {
	text = strings.TrimSpace(colors.ReplaceAllString(text, ""))
	text = privateKey.ReplaceAllString(text, Hidden)
	text = userOfURL.ReplaceAllString(text, "$1:"+Hidden+"@")
	text = credentials.ReplaceAllString(text, "$1 "+Hidden)
	text = assignment.ReplaceAllString(text, "${1}"+Hidden)
	return linodeToken.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasPrefix(found, "sha256") {
			return found
		}
		return Hidden
	})
}
