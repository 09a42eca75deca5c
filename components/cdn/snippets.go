package cdn

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi-fastly/sdk/v8/go/fastly"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// snippetTypes are the places that a snippet can go to.
var snippetTypes = []string{"init", "recv", "hash", "hit", "miss", "pass", "fetch", "error", "deliver", "log", "none"}

func (a *Args) validateSnippets(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	names := sets.New[string]()
	for i, snippet := range a.Snippets {
		at := path.Index(i)
		faults = append(faults, checkForm(at.Child("name"), snippet.Name, objectName, objectNameForm)...)
		if names.Has(snippet.Name) {
			faults = append(faults, field.Duplicate(at.Child("name"), snippet.Name))
		}
		names.Insert(snippet.Name)
		faults = append(faults, check.OneOf(at.Child("type"), snippet.Type, snippetTypes...)...)
		if snippet.Priority != 0 {
			faults = append(faults, check.Between(at.Child("priority"), snippet.Priority, 1, 10_000)...)
		}
		if _, err := snippet.read(a.Folder); err != nil {
			faults = append(faults, field.Invalid(at.Child("file"), snippet.File, err.Error()))
		}
	}
	return faults
}

// read returns the VCL of the file in the project's folder.
func (s *Snippet) read(folder string) (string, error) {
	if !filepath.IsLocal(s.File) {
		return "", errors.New("must be the path of a file in the project's folder")
	}
	content, err := os.ReadFile(filepath.Join(folder, s.File))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", errors.New("there is no such file in the project's folder")
	case err != nil:
		return "", errors.Unwrap(err)
	case strings.TrimSpace(string(content)) == "":
		return "", errors.New("the file is empty")
	}
	return string(content), nil
}

func (a *Args) snippets() (fastly.ServiceVclSnippetArray, error) {
	var snippets fastly.ServiceVclSnippetArray
	for _, snippet := range a.Snippets {
		content, err := snippet.read(a.Folder)
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
