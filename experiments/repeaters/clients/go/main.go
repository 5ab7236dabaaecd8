// Go's net/http, with a pool of its own for each try.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

func send(client *http.Client, method, url, key, body string) {
	var reader io.Reader
	if body != "-" {
		reader = strings.NewReader(body)
	}
	request, _ := http.NewRequest(method, url, reader)
	if key != "-" {
		request.Header.Set("Idempotency-Key", `"`+key+`"`)
	}
	answer, err := client.Do(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
}

func main() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		words := strings.Fields(lines.Text())
		client := &http.Client{Transport: &http.Transport{}, Timeout: time.Second}
		if words[0] != "-" {
			send(client, "GET", os.Args[1]+words[0], "-", "-")
		}
		send(client, words[1], os.Args[1]+words[2], words[3], words[4])
		client.CloseIdleConnections()
	}
}
