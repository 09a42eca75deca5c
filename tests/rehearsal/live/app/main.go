// Command app is a test app: what visitors of a live rehearsal come to where the application's own image is not at hand. It takes
// the arguments of played, beside which it stands:
//
//	app                      serves on the port of PORT or HTTP_PORT, 4000 where there is neither
//	app serve <port>...      serves on these, and on none waits for the end
//	app exit <status>        is a job, and ends at once
//
// Its pages are listed in pages.go.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// lastRequests is how long requests have to end when the app is told to.
const lastRequests = 30 * time.Second

func main() {
	status, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
	}
	os.Exit(status)
}

func run(arguments []string) (status int, err error) {
	switch {
	case len(arguments) == 0:
		return serve([]string{cmp.Or(os.Getenv("PORT"), os.Getenv("HTTP_PORT"), "4000")})
	case arguments[0] == "serve":
		return serve(arguments[1:])
	case arguments[0] == "exit" && len(arguments) == 2:
		status, err := strconv.Atoi(arguments[1])
		if err != nil {
			return 2, err
		}
		fmt.Println("app: the job ends with status", status)
		return status, nil
	default:
		return 2, fmt.Errorf("wanted: app [serve <port>... | exit <status>]")
	}
}

// serve answers until the app is told to end, and then as it was told to.
func serve(ports []string) (status int, err error) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	a := newApp()
	server := &http.Server{Handler: a, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error)
	for _, port := range ports {
		listener, err := net.Listen("tcp", ":"+port)
		if err != nil {
			return 1, err
		}
		fmt.Println("app: serving on", listener.Addr())
		go func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
	}
	for {
		select {
		case err := <-failed:
			return 1, err
		case <-signals:
			switch a.faults.ending() {
			case stubbornly:
				continue
			case badly:
				return 143, nil // as who does not handle SIGTERM at all
			}
			ctx, cancel := context.WithTimeout(context.Background(), lastRequests)
			defer cancel()
			return 0, server.Shutdown(ctx)
		}
	}
}
