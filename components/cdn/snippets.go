package cdn

import (
	"cmp"
	_ "embed"
	"fmt"

	"github.com/pulumi/pulumi-fastly/sdk/v8/go/fastly"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

//go:embed vcl/error.html
var defaultErrorPage string

// largestPage is in bytes: a third is added by its encoding, and Fastly takes VCL up to a megabyte.
const largestPage = 200_000

// snippetTypes are the places that a snippet can go to.
var snippetTypes = []string{"init", "recv", "hash", "hit", "miss", "pass", "fetch", "error", "deliver", "log", "none"}

func (a *Args) validateSnippets(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	names := sets.New[string]()
	if len(a.BasicAuth) > 0 {
		names.Insert(passwordsName)
	}
	for i, snippet := range a.Snippets {
		at := path.Index(i)
		faults = append(faults, checkForm(at.Child("name"), snippet.Name, objectName, objectNameForm)...)
		faults = append(faults, check.Unique(names, at.Child("name"), snippet.Name)...)
		faults = append(faults, check.OneOf(at.Child("type"), snippet.Type, snippetTypes...)...)
		if snippet.Priority != 0 {
			faults = append(faults, check.Between(at.Child("priority"), snippet.Priority, 1, 10_000)...)
		}
		if _, err := check.File(a.Folder, snippet.File); err != nil {
			faults = append(faults, field.Invalid(at.Child("file"), snippet.File, err.Error()))
		}
	}
	return faults
}

func (a *Args) snippets() (fastly.ServiceVclSnippetArray, error) {
	var snippets fastly.ServiceVclSnippetArray
	for _, snippet := range a.Snippets {
		content, err := check.File(a.Folder, snippet.File)
		if err != nil {
			return nil, fmt.Errorf("snippet %s: %w", snippet.Name, err)
		}
		snippets = append(snippets, fastly.ServiceVclSnippetArgs{
			Name: pulumi.String(snippet.Name), Type: pulumi.String(snippet.Type), Content: pulumi.String(content),
			Priority: pulumi.Int(cmp.Or(snippet.Priority, 100)),
		})
	}
	return snippets, nil
}

// errorPage is the HTML that visitors see when the origin fails and there is nothing old to hand out.
func (a *Args) errorPage() (string, error) {
	if a.ErrorPage == "" {
		return defaultErrorPage, nil
	}
	return a.page(a.ErrorPage)
}

// page reads a file of HTML that becomes part of the VCL.
func (a *Args) page(name string) (string, error) {
	page, err := check.File(a.Folder, name)
	switch {
	case err != nil:
		return "", err
	case len(page) > largestPage:
		return "", fmt.Errorf("the file is larger than %d bytes, and is part of the VCL", largestPage)
	}
	return page, nil
}
