package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// GitHub is asked through its own CLI, which is on every runner and knows how to authenticate.

// comment writes a report on a pull request: the comment of the same title again, where there is one.
func comment(ctx context.Context, arguments []string) error {
	if len(arguments) != 3 {
		return errors.New("comment wants the number of a pull request, a title and a file")
	}
	heading, body := readReport(arguments[1], arguments[2])
	comments := "repos/" + os.Getenv("GITHUB_REPOSITORY") + "/issues/" + arguments[0] + "/comments"
	var pages [][]struct {
		ID   int64
		Body string
		User struct{ Type string }
	}
	if err := askGitHub(ctx, &pages, nil, "--paginate", "--slurp", comments); err != nil {
		return err
	}
	for _, page := range pages {
		for _, one := range page {
			if one.User.Type == "Bot" && strings.HasPrefix(one.Body, heading+"\n") {
				path := fmt.Sprintf("repos/%s/issues/comments/%d", os.Getenv("GITHUB_REPOSITORY"), one.ID)
				return askGitHub(ctx, nil, map[string]string{"body": body}, "--method", "PATCH", path)
			}
		}
	}
	return askGitHub(ctx, nil, map[string]string{"body": body}, "--method", "POST", comments)
}

// open opens an issue with a report, or writes the open one of the same title anew.
func open(ctx context.Context, arguments []string) error {
	if len(arguments) != 2 {
		return errors.New("open wants a title and a file")
	}
	title := arguments[0]
	_, body := readReport(title, arguments[1])
	number, err := openIssue(ctx, title)
	if err != nil {
		return err
	}
	if number == 0 {
		return askGitHub(ctx, nil, map[string]string{"title": title, "body": body}, "--method", "POST", issues())
	}
	return askGitHub(ctx, nil, map[string]string{"body": body}, "--method", "PATCH", fmt.Sprintf("%s/%d", issues(), number))
}

// closeIssue closes the issue of a title, where it is open, and says why.
func closeIssue(ctx context.Context, arguments []string) error {
	if len(arguments) != 1 {
		return errors.New("close wants a title")
	}
	number, err := openIssue(ctx, arguments[0])
	if err != nil || number == 0 {
		return err
	}
	issue := fmt.Sprintf("%s/%d", issues(), number)
	why := map[string]string{"body": "Nothing differs any more."}
	if err := askGitHub(ctx, nil, why, "--method", "POST", issue+"/comments"); err != nil {
		return err
	}
	return askGitHub(ctx, nil, map[string]string{"state": "closed"}, "--method", "PATCH", issue)
}

func issues() string { return "repos/" + os.Getenv("GITHUB_REPOSITORY") + "/issues" }

// openIssue is the number of the open issue of a title; 0 where there is none.
func openIssue(ctx context.Context, title string) (int, error) {
	var pages [][]struct {
		Number int
		Title  string
	}
	if err := askGitHub(ctx, &pages, nil, "--paginate", "--slurp", issues()+"?state=open&per_page=100"); err != nil {
		return 0, err
	}
	for _, page := range pages {
		for _, issue := range page {
			if issue.Title == title {
				return issue.Number, nil
			}
		}
	}
	return 0, nil
}

// readReport returns the first line of a report, and all of it with links to where it was made. Where there is none, something
// failed before it, which the workflow's run tells.
func readReport(title, file string) (heading, body string) {
	heading = "### " + title
	content, err := os.ReadFile(file)
	if err != nil {
		content = []byte(heading + "\n\n**There is no report**: it failed before there was anything to tell. Its run says why.\n")
	}
	links := fmt.Sprintf("[Run of the workflow](%s/%s/actions/runs/%s)",
		os.Getenv("GITHUB_SERVER_URL"), os.Getenv("GITHUB_REPOSITORY"), os.Getenv("GITHUB_RUN_ID"))
	if pictures := os.Getenv("REHEARSAL_URL"); pictures != "" {
		links += fmt.Sprintf(" · [Report of the rehearsal](%s)", pictures)
	}
	return heading, strings.TrimRight(string(content), "\n") + "\n\n" + links + "\n"
}

// askGitHub calls its API, with fields in JSON where there are any.
func askGitHub(ctx context.Context, answer any, fields map[string]string, arguments ...string) error {
	var input []byte
	if fields != nil {
		var err error
		if input, err = json.Marshal(fields); err != nil {
			return fmt.Errorf("encoding a request to GitHub: %w", err)
		}
		arguments = append([]string{"--input", "-"}, arguments...)
	}
	arguments = append([]string{"api"}, arguments...)
	command := exec.CommandContext(ctx, "gh", arguments...)
	command.Stdin = bytes.NewReader(input)
	text, err := command.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return fmt.Errorf("gh %s: %s", strings.Join(arguments, " "), strings.TrimSpace(string(failed.Stderr)))
	}
	if err != nil {
		return fmt.Errorf("running gh: %w", err)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("reading GitHub's answer: %w", err)
	}
	return nil
}
