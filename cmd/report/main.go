// Command report tells what a change does, so that somebody who has ten seconds knows whether to look closer: on pull requests,
// in the issue of drift, and in the summary of a workflow. The Makefile and the workflows call it.
//
//	report preview -stack <stack> -to <file> -- <options>   runs pulumi preview, and writes what it would do
//	report drift -stack <stack> -to <file> -- <options>     compares cloud, state and program, and writes what differs
//	report rehearsal -stack <stack> -to <file>              writes what the last rehearsal found
//	report comment <pull request> <title> <file>            writes a comment on a pull request, or the same one anew
//	report open <title> <file>                              opens an issue, or writes it anew
//	report close <title>                                    closes it, where it is open
//	report prices                                           records Linode's list of prices
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
)

func main() {
	err := run(context.Background(), os.Args[1:])
	var ended *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &ended) && ended.ExitCode() > 0: // Pulumi has said why
		os.Exit(ended.ExitCode())
	default:
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

// commands are those that the first argument can name.
var commands = map[string]func(context.Context, []string) error{
	"preview": preview, "drift": drift, "rehearsal": rehearsal, "comment": comment, "open": open, "close": closeIssue,
	"prices": recordPrices,
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("say what to report: preview, drift, rehearsal, comment, open, close or prices")
	}
	command, known := commands[arguments[0]]
	if !known {
		return fmt.Errorf("unknown command %s", arguments[0])
	}
	return command(ctx, arguments[1:])
}

// target is a stack, and where the report on it goes.
type target struct {
	stack, to string
	options   []string // of pulumi
}

func parse(name string, arguments []string) (*target, error) {
	t := &target{}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.StringVar(&t.stack, "stack", "", "the stack")
	flags.StringVar(&t.to, "to", "", "the file that the report goes to")
	if err := flags.Parse(arguments); err != nil {
		return nil, err
	}
	t.options = flags.Args()
	if t.stack == "" || t.to == "" {
		return nil, errors.New("both -stack and -to are needed")
	}
	return t, nil
}
