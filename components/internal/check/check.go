// Package check holds the checks of configuration values that several components share. Each returns the faults it found,
// with their path, in the form that Kubernetes' own API uses.
package check

import (
	"fmt"
	"net/mail"
	"strings"

	"github.com/distribution/reference"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Required refuses an empty value.
func Required(path *field.Path, value string) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, "must not be empty")}
	}
	return nil
}

// Between refuses a number outside the bounds, which are both allowed.
func Between(path *field.Path, value, least, most int) field.ErrorList {
	if value < least || value > most {
		return field.ErrorList{field.Invalid(path, value, fmt.Sprintf("must be between %d and %d", least, most))}
	}
	return nil
}

// Unique refuses a value that was seen before, and remembers it.
func Unique[T comparable](seen sets.Set[T], path *field.Path, value T) field.ErrorList {
	if seen.Has(value) {
		return field.ErrorList{field.Duplicate(path, value)}
	}
	seen.Insert(value)
	return nil
}

// OneOf refuses a value that is not among the allowed ones.
func OneOf(path *field.Path, value string, allowed ...string) field.ErrorList {
	for _, candidate := range allowed {
		if value == candidate {
			return nil
		}
	}
	return field.ErrorList{field.NotSupported(path, value, allowed)}
}

// Name refuses what Kubernetes does not take as the name of an object.
func Name(path *field.Path, value string) field.ErrorList {
	return invalid(path, value, validation.IsDNS1123Label(value))
}

// SecretName refuses what cannot be the name of a secret of the stack. Such names are entries of a Kubernetes Secret too, and
// with a colon in it, a key of the stack file would belong to another program.
func SecretName(path *field.Path, value string) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, "must name a secret, for instance api-key, which is set by: "+
			"pulumi config set --secret secret-api-key")}
	}
	return invalid(path, value, validation.IsConfigMapKey(value))
}

// Image refuses what is not the name of a container image.
func Image(path *field.Path, value string) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, "must name a container image")}
	}
	if _, err := reference.ParseNormalizedNamed(value); err != nil {
		return field.ErrorList{field.Invalid(path, value, err.Error())}
	}
	return nil
}

// LabelKey refuses what Kubernetes does not take as the key of a label or taint.
func LabelKey(path *field.Path, value string) field.ErrorList {
	return invalid(path, value, validation.IsQualifiedName(value))
}

// LabelValue refuses what Kubernetes does not take as the value of a label or taint.
func LabelValue(path *field.Path, value string) field.ErrorList {
	return invalid(path, value, validation.IsValidLabelValue(value))
}

// Domain refuses what is not a full domain name in lower case.
func Domain(path *field.Path, value string) field.ErrorList {
	faults := invalid(path, value, validation.IsDNS1123Subdomain(value))
	if len(faults) == 0 && !strings.Contains(value, ".") {
		faults = append(faults, field.Invalid(path, value, "must be a full domain name, for instance www.example.com"))
	}
	return faults
}

// Hosts is Domains, but that a name may stand for all right below one: *.example.com.
func Hosts(path *field.Path, values []string) field.ErrorList {
	return list(path, values, func(path *field.Path, value string) field.ErrorList {
		return Domain(path, strings.TrimPrefix(value, "*."))
	})
}

// Domains refuses an empty list, names that are not domains, and names that stand in the list twice.
func Domains(path *field.Path, values []string) field.ErrorList { return list(path, values, Domain) }

func list(path *field.Path, values []string, check func(*field.Path, string) field.ErrorList) field.ErrorList {
	if len(values) == 0 {
		return field.ErrorList{field.Required(path, "must name at least one domain")}
	}
	var faults field.ErrorList
	seen := sets.New[string]()
	for i, value := range values {
		faults = append(faults, check(path.Index(i), value)...)
		faults = append(faults, Unique(seen, path.Index(i), value)...)
	}
	return faults
}

// Email refuses what is not one plain e-mail address.
func Email(path *field.Path, value string) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, "must be an e-mail address that somebody reads")}
	}
	address, err := mail.ParseAddress(value)
	if err != nil || address.Address != value {
		return field.ErrorList{field.Invalid(path, value, "must be an e-mail address, for instance ops@example.com")}
	}
	return nil
}

// Quantity refuses what Kubernetes does not take as an amount of CPU or memory, and amounts that are not above zero.
func Quantity(path *field.Path, value string) field.ErrorList {
	quantity, err := resource.ParseQuantity(value)
	if err != nil {
		return field.ErrorList{field.Invalid(path, value, "must be a quantity, for instance 500m or 2Gi")}
	}
	if quantity.Sign() <= 0 {
		return field.ErrorList{field.Invalid(path, value, "must be above zero")}
	}
	return nil
}

// smallestVolume is Linode's: a smaller one is silently made as large.
const smallestVolume = "10Gi"

// Volume refuses what is not a size, and sizes below the smallest volume.
func Volume(path *field.Path, value string) field.ErrorList {
	if faults := Quantity(path, value); len(faults) > 0 {
		return faults
	}
	if size := resource.MustParse(value); size.Cmp(resource.MustParse(smallestVolume)) < 0 {
		return field.ErrorList{field.Invalid(path, value, "must be at least "+smallestVolume+", Linode's smallest volume")}
	}
	return nil
}

// URLPath refuses what does not begin with a slash.
func URLPath(path *field.Path, value string) field.ErrorList {
	if !strings.HasPrefix(value, "/") {
		return field.ErrorList{field.Invalid(path, value, "must begin with a slash")}
	}
	return nil
}

func invalid(path *field.Path, value string, reasons []string) field.ErrorList {
	var faults field.ErrorList
	for _, reason := range reasons {
		faults = append(faults, field.Invalid(path, value, reason))
	}
	return faults
}
