// SPDX-License-Identifier: MIT
// What the peers in Go share: listening, certificates, the syntax of orders.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
)

// Reports, which are sent over the control connection one after the other.
var reports = make(chan string, 100)

func report(format string, arguments ...interface{}) {
	reports <- fmt.Sprintf(format, arguments...)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Splits "!name rest"; ok is false when the text is no order.
func splitOrder(text string) (name, rest string, ok bool) {
	if !strings.HasPrefix(text, "!") {
		return "", "", false
	}
	name, rest, _ = strings.Cut(text[1:], " ")
	return name, rest, true
}

// Splits "CODE REASON"; an empty text means code 1005.
func splitClose(rest string) (code int, reason string) {
	code = 1005
	number, reason, _ := strings.Cut(rest, " ")
	if number != "" {
		fmt.Sscan(number, &code)
	}
	return code, reason
}

// Splits "open URL PROTOCOL,PROTOCOL".
func splitOpen(order string) (url string, protocols []string) {
	words := strings.Split(order, " ")
	if words[2] != "" {
		protocols = strings.Split(words[2], ",")
	}
	return words[1], protocols
}

func clientTLS() *tls.Config {
	pem, err := os.ReadFile("build/certs/root.pem")
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: roots}
}

// Serves with and without TLS; prints both ports.
func serve(control, obey http.HandlerFunc) {
	http.HandleFunc("/control", control)
	http.HandleFunc("/obey", obey)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println(plain.Addr().(*net.TCPAddr).Port, secure.Addr().(*net.TCPAddr).Port)
	go func() { must(http.Serve(plain, nil)) }()
	must(http.ServeTLS(secure, nil, "build/certs/server.pem", "build/certs/leaf.key"))
}
