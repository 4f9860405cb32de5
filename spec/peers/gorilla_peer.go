// SPDX-License-Identifier: MIT
// A peer with gorilla/websocket that obeys orders.   gorilla_peer server | client URL
package main

import (
	"log"
	"net/http"
	"os"

	"github.com/gorilla/websocket"
)

// Only the goroutine that reads writes.
var orders = map[string]func(ws *websocket.Conn, rest string) error{
	"ping": func(ws *websocket.Conn, data string) error {
		return ws.WriteMessage(websocket.PingMessage, []byte(data))
	},
	"close": func(ws *websocket.Conn, rest string) error {
		code, reason := splitClose(rest)
		return ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason))
	},
	"terminate": func(ws *websocket.Conn, _ string) error {
		return ws.UnderlyingConn().Close()
	},
}

func answer(ws *websocket.Conn, kind int, data []byte) error {
	name, rest, ordered := splitOrder(string(data))
	if kind == websocket.TextMessage && ordered {
		return orders[name](ws, rest)
	}
	return ws.WriteMessage(kind, data)
}

func obey(ws *websocket.Conn) {
	defer ws.Close()
	ws.SetPongHandler(func(data string) error {
		return ws.WriteMessage(websocket.TextMessage, []byte("pong "+data))
	})
	for {
		kind, data, err := ws.ReadMessage()
		if err != nil {
			tellEnd(err)
			return
		}
		if err := answer(ws, kind, data); err != nil {
			log.Print(err)
		}
	}
}

func tellEnd(err error) {
	if closed, ok := err.(*websocket.CloseError); ok {
		report("closed %d %s", closed.Code, closed.Text)
	} else {
		report("closed 1006 %v", err)
	}
}

func sendReports(ws *websocket.Conn) {
	for text := range reports {
		must(ws.WriteMessage(websocket.TextMessage, []byte(text)))
	}
}

func serveWith(handle func(ws *websocket.Conn)) http.HandlerFunc {
	upgrader := websocket.Upgrader{EnableCompression: true, Subprotocols: []string{"chat.v1"}}
	return func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		must(err)
		handle(ws)
	}
}

func openOne(order string) {
	url, protocols := splitOpen(order)
	dialer := websocket.Dialer{
		EnableCompression: true, Subprotocols: protocols, TLSClientConfig: clientTLS(),
	}
	ws, response, err := dialer.Dial(url, nil)
	if err == nil {
		obey(ws)
	} else if response != nil {
		report("failed %v %s", err, response.Status)
	} else {
		report("failed %v", err)
	}
}

func runClient(url string) {
	control, _, err := websocket.DefaultDialer.Dial(url+"/control", nil)
	must(err)
	go sendReports(control)
	for {
		_, order, err := control.ReadMessage()
		if err != nil {
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
