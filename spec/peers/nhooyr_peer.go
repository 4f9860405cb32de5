// SPDX-License-Identifier: MIT
// A peer with nhooyr.io/websocket that obeys orders.   nhooyr_peer server | client URL
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"

	"nhooyr.io/websocket"
)

var always = context.Background()

func sendText(ws *websocket.Conn, text string) error {
	return ws.Write(always, websocket.MessageText, []byte(text))
}

// Waits in a goroutine for the pong, which is taken while the connection is read.
func ping(ws *websocket.Conn, _ string) error {
	go func() {
		must(ws.Ping(always))
		must(sendText(ws, "pong"))
	}()
	return nil
}

func sendFragments(ws *websocket.Conn, kind string) error {
	opcode, parts := websocket.MessageText, []string{"frag ", "ment ", "ed"}
	if kind == "binary" {
		opcode, parts = websocket.MessageBinary, []string{"\x00", "\x01\xfe", "\xff"}
	}
	writer, err := ws.Writer(always, opcode)
	must(err)
	for _, part := range parts {
		_, err := writer.Write([]byte(part))
		must(err)
	}
	return writer.Close()
}

// Returns when the answer has come, which must have the same code.
func sendClose(ws *websocket.Conn, rest string) error {
	code, reason := splitClose(rest)
	if err := ws.Close(websocket.StatusCode(code), reason); err != nil {
		return err
	}
	return websocket.CloseError{Code: websocket.StatusCode(code), Reason: reason}
}

var orders = map[string]func(ws *websocket.Conn, rest string) error{
	"ping": ping, "fragments": sendFragments, "close": sendClose,
}

func step(ws *websocket.Conn) error {
	kind, data, err := ws.Read(always)
	if err != nil {
		return err
	}
	name, rest, ordered := splitOrder(string(data))
	if kind == websocket.MessageText && ordered {
		return orders[name](ws, rest)
	}
	return ws.Write(always, kind, data)
}

func obey(ws *websocket.Conn) {
	ws.SetReadLimit(4 * 1024 * 1024)
	var err error
	for err == nil {
		err = step(ws)
	}
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		report("closed %d %s", closed.Code, closed.Reason)
	} else {
		report("closed 1006 %v", err)
	}
}

func sendReports(ws *websocket.Conn) {
	for text := range reports {
		must(sendText(ws, text))
	}
}

func serveWith(handle func(ws *websocket.Conn)) http.HandlerFunc {
	options := websocket.AcceptOptions{
		Subprotocols: []string{"chat.v1"}, CompressionMode: websocket.CompressionContextTakeover,
		CompressionThreshold: 1,
	}
	return func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &options)
		must(err)
		handle(ws)
	}
}

func openOne(order string) {
	url, protocols := splitOpen(order)
	ws, _, err := websocket.Dial(always, url, &websocket.DialOptions{
		HTTPClient:   &http.Client{Transport: &http.Transport{TLSClientConfig: clientTLS()}},
		Subprotocols: protocols, CompressionMode: websocket.CompressionContextTakeover,
		CompressionThreshold: 1,
	})
	if err != nil {
		report("failed %v", err)
		return
	}
	obey(ws)
}

func runClient(url string) {
	control, _, err := websocket.Dial(always, url+"/control", nil)
	must(err)
	go sendReports(control)
	for {
		_, order, err := control.Read(always)
		if err != nil {
			log.Print(err)
			return
		}
		go openOne(string(order))
	}
}

func main() {
	if os.Args[1] == "server" {
		serve(serveWith(sendReports), serveWith(obey))
	} else {
		runClient(os.Args[2])
	}
}
