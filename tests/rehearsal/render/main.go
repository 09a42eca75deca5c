// Command render compares what the charts of a stack make with its values before and after a change, object by object. It asks no
// cluster and no cloud: the values are those of the golden graphs, the charts lie beside the stack. `make rendered` calls it.
package main

import (
	"flag"
	"fmt"
	"os"

	"lke-platform/cmd/report/markdown"
)

func main() {
	stack := flag.String("stack", "", "the stack")
	base := flag.String("base", "", "folder with the files of the commit before")
	called := flag.String("called", "", "how that commit is called")
	head := flag.String("head", "", "top of the repository")
	flag.Parse()
	if err := run(*stack, *base, *called, *head); err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

// run compares a stack, writes the comparison for reports and shows it.
func run(stack, base, called, head string) error {
	before, err := readGraph(base, stack)
	if err != nil {
		return err
	}
	after, err := readGraph(head, stack)
	if err != nil {
		return err
	}
	comparison, err := compare(before, after)
	if err != nil {
		return err
	}
	comparison.Base = called
	if err := comparison.Write(head, stack); err != nil {
		return err
	}
	if len(comparison.Releases) == 0 {
		fmt.Printf("The charts of %s render the same as at %s.\n", stack, called)
		return nil
	}
	fmt.Print(markdown.Rendered(comparison))
	return nil
}
