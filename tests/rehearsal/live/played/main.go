// Command played is run in the place of a container whose image cannot be had, so that its pod becomes ready:
//
//	played                      waits for the end
//	played exit <status>        ends at once
//	played serve <port>...      answers each request with 200, on a port that is given as https:<port> over TLS
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGTERM, os.Interrupt)
	failed := make(chan error)
	switch arguments := os.Args[1:]; {
	case len(arguments) == 2 && arguments[0] == "exit":
		status, err := strconv.Atoi(arguments[1])
		if err != nil {
			status = 2
		}
		fmt.Println("played: the image could not be had, and the container ends with status", status)
		os.Exit(status)
	case len(arguments) > 0 && arguments[0] == "serve":
		fmt.Println("played: the image could not be had; answering on", strings.Join(arguments[1:], " "))
		for _, port := range arguments[1:] {
			go func() { failed <- serve(port) }()
		}
	}
	select {
	case <-ending:
	case err := <-failed:
		fmt.Fprintln(os.Stderr, "played:", err)
		os.Exit(1)
	}
}

// serve answers on a port until that fails.
func serve(port string) error {
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintln(w, "played: the image of this container could not be had")
		}),
		ReadHeaderTimeout: 10 * time.Second,
	}
	number, secure := strings.CutPrefix(port, "https:")
	server.Addr = ":" + number
	if !secure {
		return server.ListenAndServe()
	}
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	return server.ListenAndServeTLS("", "")
}

// selfSigned makes a certificate. Probes look at none.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(1, 0, 0), DNSNames: []string{"played"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
