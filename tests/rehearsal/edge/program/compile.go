// Package program runs the VCL of a Fastly service, a subroutine at a time, with falco's interpreter. What Fastly generates from
// a version's objects is generated here; what falco's interpreter does otherwise than Fastly is said to it in other words, see
// rewrite. What a subroutine decides is for whoever called it to do: falco neither keeps nor fetches anything here.
//
// Not as at Fastly, for the interpreter gives no way to it: a call of a subroutine forgets the caller's local variables and
// groups of an expression, both sides of && and || are always looked at, an empty header is none, expressions are RE2 instead of
// PCRE, goto and ESI do nothing, texts in local variables cannot be added to, rate counters count nothing, and where visitors are
// (client.geo) is unknown. Where falco fails, the visitor gets an error that says so.
package program

import (
	"fmt"
	"strings"

	"github.com/ysugimoto/falco/ast"
	"github.com/ysugimoto/falco/lexer"
	"github.com/ysugimoto/falco/parser"

	"lke-platform/tests/rehearsal/fastly"
)

// Program is the VCL of a service's version, ready to run. It never changes, so that requests share it.
type Program struct {
	statements []ast.Statement
}

// Compile makes the program of what is deployed.
func Compile(d *fastly.Deployment) (*Program, error) {
	inject()
	statements, err := parse("main", generate(d), d)
	if err != nil {
		return nil, err
	}
	for _, statement := range statements {
		if director, ok := statement.(*ast.DirectorDeclaration); ok {
			return nil, fmt.Errorf("VCL declares director %s itself, which is not served here", director.Name.Value)
		}
		if backend, ok := statement.(*ast.BackendDeclaration); ok && isReal(backend) {
			return nil, fmt.Errorf("VCL declares backend %s itself, which is not served here", backend.Name.Value)
		}
	}
	statements = joined(statements)
	rewrite(statements)
	return &Program{statements}, nil
}

// isReal says whether a backend is one that the uploaded VCL declares: those that are generated lead nowhere.
func isReal(backend *ast.BackendDeclaration) bool {
	for _, property := range backend.Properties {
		if host, ok := property.Value.(*ast.String); ok && property.Key.Value == "host" && host.Value == nowhere {
			return false
		}
	}
	return true
}

// parse reads VCL, and what it includes.
func parse(name, content string, d *fastly.Deployment) ([]ast.Statement, error) {
	content = fastly.EveryHeader.ReplaceAllString(content, "unset $1$2"+everyHeader+";")
	read, err := parser.New(lexer.NewFromString(content, lexer.WithFile(name))).ParseVCL()
	if err != nil {
		return nil, fmt.Errorf("reading VCL: %w", err)
	}
	var statements []ast.Statement
	for _, statement := range read.Statements {
		include, ok := statement.(*ast.IncludeStatement)
		if !ok {
			statements = append(statements, statement)
			continue
		}
		included, err := included(include.Module.Value, d)
		if err != nil {
			return nil, err
		}
		statements = append(statements, included...)
	}
	return statements, nil
}

func included(name string, d *fastly.Deployment) ([]ast.Statement, error) {
	kind := "vcl"
	if snippet, ok := strings.CutPrefix(name, "snippet::"); ok {
		kind, name = "snippet", snippet
	}
	for _, o := range objects(d, kind) {
		if o.text("name") == name && !o.flag("main") {
			return parse(name, o.text("content"), d)
		}
	}
	return nil, fmt.Errorf("VCL includes %s, which the version does not have", name)
}

// joined makes one of subroutines of the same name, as Fastly does with its own.
func joined(statements []ast.Statement) []ast.Statement {
	first := map[string]*ast.SubroutineDeclaration{}
	var all []ast.Statement
	for _, statement := range statements {
		if subroutine, ok := statement.(*ast.SubroutineDeclaration); ok {
			name := subroutine.Name.Value
			if known := first[name]; known != nil && strings.HasPrefix(name, "vcl_") {
				known.Block.Statements = append(known.Block.Statements, subroutine.Block.Statements...)
				continue
			}
			first[name] = subroutine
		}
		all = append(all, statement)
	}
	return all
}
