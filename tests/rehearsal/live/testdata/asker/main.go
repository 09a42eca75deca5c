// Command asker asks others for whoever asks it: GET /?url=…
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"time"
)

func main() {
	asking := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	log.Fatal(http.ListenAndServe(":80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		url := r.FormValue("url")
		if url == "" {
			return
		}
		answer, err := asking.Get(url)
		if err != nil {
			fmt.Fprintln(w, err)
			return
		}
		defer answer.Body.Close()
		_, _ = io.Copy(w, answer.Body)
	})))
}
