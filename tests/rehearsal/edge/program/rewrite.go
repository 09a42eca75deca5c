package program

import (
	"encoding/base64"
	"reflect"
	"strings"

	"github.com/ysugimoto/falco/ast"
	"github.com/ysugimoto/falco/token"
)

// prefix begins the names of variables that falco asks us for, as it knows none of such a name. What it knows wrongly is renamed.
const prefix = "edge."

// Beginnings of the names of variables that are none at Fastly, below prefix.
const (
	lengthOfTime  = "rtime."      // a literal: falco refuses to assign one
	group         = "group."      // what an expression has matched: falco fails where there is none
	unsetEvery    = "unset."      // to set it removes headers: falco knows no asterisk
	collectHeader = "collect."    // to set it joins headers: falco cannot call the function
	backendHeader = "bereq.http." // falco sets it in vcl_fetch only
)

// everyHeader is the asterisk at the end of a header's name, in letters that falco reads.
const everyHeader = "-every-header-"

var meta = reflect.TypeFor[*ast.Meta]()

// rewrite says in other words what falco's interpreter does otherwise than Fastly.
func rewrite(statements []ast.Statement) {
	for _, statement := range statements {
		if subroutine, ok := statement.(*ast.SubroutineDeclaration); ok {
			walk(reflect.ValueOf(subroutine.Block))
		}
	}
}

func walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return
		}
		if other := instead(v.Interface()); other != nil {
			v.Set(reflect.ValueOf(other))
		}
		walk(v.Elem())
	case reflect.Pointer:
		if v.IsNil() || v.Type() == meta {
			return
		}
		if ident, ok := v.Interface().(*ast.Ident); ok {
			ident.Value = renamed(ident.Value)
			return
		}
		walk(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				walk(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i))
		}
	}
}

func renamed(name string) string {
	if number, ok := strings.CutPrefix(name, "re.group."); ok {
		return prefix + group + number
	}
	if variables[name] != nil || backendHealth.MatchString(name) {
		return prefix + name
	}
	return name
}

// instead is what takes the place of a node, nil where it stays.
func instead(node any) any {
	switch n := node.(type) {
	case *ast.RTime:
		return &ast.Ident{Meta: n.Meta, Value: prefix + lengthOfTime + n.Value}
	case *ast.SetStatement:
		if n.Operator.Token.Type == token.ADDITION { // which falco reads as an equals sign
			n.Operator.Operator = "+="
		}
		if strings.HasPrefix(n.Ident.Value, backendHeader) {
			n.Ident.Value = prefix + n.Ident.Value
		}
	case *ast.UnsetStatement:
		if beginning, ok := strings.CutSuffix(n.Ident.Value, everyHeader); ok {
			return order(n.Meta, unsetEvery+beginning)
		}
	case *ast.FunctionCallStatement:
		if header, ok := collected(n); ok {
			return order(n.Meta, collectHeader+header)
		}
	case *ast.SyntheticBase64Statement:
		if text, ok := n.Value.(*ast.String); ok {
			decoded, err := base64.StdEncoding.DecodeString(text.Value)
			if err == nil {
				return &ast.SyntheticStatement{Meta: n.Meta, Value: &ast.String{Meta: text.Meta, Value: string(decoded)}}
			}
		}
	}
	return nil
}

func collected(call *ast.FunctionCallStatement) (header string, ok bool) {
	if call.Function.Value != "std.collect" || len(call.Arguments) == 0 {
		return "", false
	}
	ident, ok := call.Arguments[0].(*ast.Ident)
	if !ok {
		return "", false
	}
	return ident.Value, true
}

// order has us do something, by a variable that is set.
func order(meta *ast.Meta, name string) *ast.SetStatement {
	return &ast.SetStatement{
		Meta: meta, Ident: &ast.Ident{Meta: meta, Value: prefix + name},
		Operator: &ast.Operator{Meta: meta, Operator: "="}, Value: &ast.Boolean{Meta: meta, Value: true},
	}
}
