package fastly

import "net/http"

// tlsError is an error in JSON:API.
type tlsError struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

// refused is a refusal in JSON:API. Fastly documents no errors of its TLS API; all that are on record, of wrong and
// missing input, have status 400. Where a wording is on record, it is used here.
func refused(title, detail string) error {
	return &refusal{http.StatusBadRequest, &document{Errors: []tlsError{{title, detail}}}}
}

// invalid is a refusal in JSON:API of what err says.
func invalid(err error) error { return refused("Invalid parameter", err.Error()) }

// absent is the refusal of a request that leaves a required parameter out.
func absent(parameter string) error {
	return refused("Missing required attribute", "param is missing or the value is empty: "+parameter)
}

// unknown is the refusal of a request about something that is not there, or no longer.
func unknown(noun string) error {
	problem := tlsError{"Not found", "The " + noun + " you requested was not found"}
	return &refusal{http.StatusNotFound, &document{Errors: []tlsError{problem}}}
}

// The titles of what cannot be done with sound parameters.
const (
	noKey                = "Can't create private key"
	keyStays             = "Can't delete private key"
	noCertificate        = "Can't create certificate"
	certificateAsItWas   = "Can't update certificate"
	certificateStays     = "Can't delete certificate"
	noActivation         = "Can't create activation"
	activationAsItWas    = "Can't update activation"
	configurationAsItWas = "Can't update configuration"
)
