// SPDX-License-Identifier: MIT
// A peer with Boost.Beast that obeys orders.   beast_peer server | client URL
// A server prints its ports: plain, TLS. Calls block, and each connection has
// a thread.
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <condition_variable>
#include <deque>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using plain_socket = websocket::stream<tcp::socket>;
using secure_socket = websocket::stream<beast::ssl_stream<tcp::socket>>;
using std::string;

static asio::io_context context;
static ssl::context tls(ssl::context::tls);

// ----------------------------------------------------------------- reports

static std::mutex guard;
static std::condition_variable some;
static std::deque<string> reports;

static void report(const string &text) {
  std::lock_guard<std::mutex> lock(guard);
  reports.push_back(text);
  some.notify_one();
}

template <class Socket> static void send_reports(Socket &ws) {
  for (;;) {
    std::unique_lock<std::mutex> lock(guard);
    some.wait(lock, [] { return !reports.empty(); });
    string text = reports.front();
    reports.pop_front();
    lock.unlock();
    ws.text(true);
    ws.write(asio::buffer(text));
  }
}

// ------------------------------------------------------------------ orders

template <class Socket>
static void send_fragments(Socket &ws, const std::vector<string> &parts) {
  for (size_t i = 0; i < parts.size(); i++)
    ws.write_some(i + 1 == parts.size(), asio::buffer(parts[i]));
}

template <class Socket> static void close(Socket &ws, const string &rest) {
  websocket::close_reason reason;
  size_t space = rest.find(' ');
  if (!rest.empty()) {
    reason.code = static_cast<websocket::close_code>(std::stoi(rest));
    reason.reason = space == string::npos ? "" : rest.substr(space + 1);
  }
  ws.close(reason); // waits for the answer, which reason() returns afterwards
  throw beast::system_error(websocket::error::closed);
}

template <class Socket> static void carry_out(Socket &ws, const string &order) {
  size_t space = order.find(' ');
  string name = order.substr(1, space - 1);
  string rest = space == string::npos ? "" : order.substr(space + 1);
  ws.text(true);
  if (name == "ping") ws.ping(websocket::ping_data(rest));
  else if (name == "close") close(ws, rest);
  else if (name == "terminate") beast::get_lowest_layer(ws).close();
  else if (name == "split") {
    ws.write_some(false, asio::buffer("\xe2", 1));
    ws.ping("between");
    ws.write_some(true, asio::buffer("\x82\xac", 2));
  } else if (rest == "binary") {
    ws.binary(true);
    send_fragments(ws, {string(1, '\0'), "\x01\xfe", "\xff"});
  } else send_fragments(ws, {"frag ", "ment ", "ed"});
}

template <class Socket> static void answer(Socket &ws, const string &data) {
  if (ws.got_text() && data.compare(0, 1, "!") == 0)
    return carry_out(ws, data);
  ws.text(ws.got_text());
  ws.write(asio::buffer(data));
}

// Room for a whole message: read() takes small steps, and when the last input
// is used up, takes output that did not fit for missing (boostorg/beast#1630).
static const size_t room = 4 * 1024 * 1024;

template <class Socket> static void go_on(Socket &ws) {
  ws.control_callback([&ws](websocket::frame_type kind,
                            beast::string_view data) {
    if (kind != websocket::frame_type::pong) return;
    ws.text(true);
    ws.write(asio::buffer("pong " + string(data)));
  });
  beast::flat_buffer buffer;
  for (;;) {
    do ws.read_some(buffer, room);
    while (!ws.is_message_done());
    answer(ws, beast::buffers_to_string(buffer.data()));
    buffer.clear();
  }
}

// Obeys until the connection ends, and reports that.
template <class Socket> static void obey(Socket &ws) {
  bool dropped = false;
  try {
    go_on(ws);
  } catch (const beast::system_error &e) {
    dropped = e.code() != websocket::error::closed;
    if (dropped) std::cerr << e.what() << '\n';
  }
  unsigned code = ws.reason().code;
  if (dropped) code = 1006;
  else if (code == websocket::close_code::none) code = 1005;
  report("closed " + std::to_string(code) + " " + ws.reason().reason.c_str());
}

template <class Socket> static void compress(Socket &ws) {
  websocket::permessage_deflate deflate;
  deflate.server_enable = deflate.client_enable = true;
  ws.set_option(deflate);
}

// ------------------------------------------------------------------ server

template <class Socket> static void accept(Socket &ws) {
  compress(ws);
  beast::flat_buffer buffer;
  http::request<http::string_body> request;
  http::read(ws.next_layer(), buffer, request);
  bool chat = request[http::field::sec_websocket_protocol].find("chat.v1") !=
              beast::string_view::npos;
  ws.set_option(websocket::stream_base::decorator(
      [chat](websocket::response_type &response) {
        if (chat)
          response.set(http::field::sec_websocket_protocol, "chat.v1");
      }));
  ws.accept(request);
  if (request.target() == "/control") send_reports(ws);
  else obey(ws);
}

// Runs in a thread of its own; a failure ends only that thread.
template <class Work> static void start(Work work) {
  std::thread([work] {
    try {
      work();
    } catch (const std::exception &e) {
      std::cerr << e.what() << '\n';
    }
  }).detach();
}

static void serve_plain(std::shared_ptr<tcp::socket> socket) {
  plain_socket ws(std::move(*socket));
  accept(ws);
}

static void serve_secure(std::shared_ptr<tcp::socket> socket) {
  secure_socket ws(std::move(*socket), tls);
  ws.next_layer().handshake(ssl::stream_base::server);
  accept(ws);
}

static void accept_all(tcp::acceptor &acceptor,
                       void (*serve)(std::shared_ptr<tcp::socket>)) {
  for (;;) {
    auto socket = std::make_shared<tcp::socket>(acceptor.accept());
    start([=] { serve(socket); });
  }
}

static void run_server() {
  tls.use_certificate_chain_file("build/certs/server.pem");
  tls.use_private_key_file("build/certs/leaf.key", ssl::context::pem);
  tcp::endpoint here(asio::ip::address_v4::loopback(), 0);
  tcp::acceptor plain(context, here), secure(context, here);
  std::cout << plain.local_endpoint().port() << ' '
            << secure.local_endpoint().port() << std::endl;
  start([&] { accept_all(secure, serve_secure); });
  accept_all(plain, serve_plain);
}

// ------------------------------------------------------------------ client

struct target {
  bool secure;
  string host, port, path;
};

static target parse(const string &url) {
  size_t host = url.find("://") + 3, colon = url.find(':', host);
  size_t path = url.find('/', colon);
  return {url[2] == 's', url.substr(host, colon - host),
          url.substr(colon + 1, path - colon - 1), url.substr(path)};
}

static tcp::socket dial(const target &to) {
  tcp::socket socket(context);
  socket.connect({asio::ip::address_v4::loopback(),
                  static_cast<unsigned short>(std::stoi(to.port))});
  return socket;
}

template <class Socket>
static void open(Socket &ws, const target &to, const string &protocols) {
  compress(ws);
  ws.set_option(websocket::stream_base::decorator(
      [protocols](websocket::request_type &request) {
        if (!protocols.empty())
          request.set(http::field::sec_websocket_protocol, protocols);
      }));
  ws.handshake(to.host + ":" + to.port, to.path);
}

static void open_plain(const target &to, const string &protocols) {
  plain_socket ws(dial(to));
  open(ws, to, protocols);
  obey(ws);
}

static void open_secure(const target &to, const string &protocols) {
  secure_socket ws(dial(to), tls);
  SSL_set_tlsext_host_name(ws.next_layer().native_handle(), to.host.c_str());
  ws.next_layer().set_verify_callback(ssl::host_name_verification(to.host));
  ws.next_layer().handshake(ssl::stream_base::client);
  open(ws, to, protocols);
  obey(ws);
}

// "open URL PROTOCOL,PROTOCOL"
static void open_one(const string &order) {
  size_t space = order.find(' ', 5);
  target to = parse(order.substr(5, space - 5));
  try {
    (to.secure ? open_secure : open_plain)(to, order.substr(space + 1));
  } catch (const std::exception &e) {
    report(string("failed ") + e.what());
  }
}

static void run_client(const string &url) {
  tls.load_verify_file("build/certs/root.pem");
  tls.set_verify_mode(ssl::verify_peer);
  target to = parse(url + "/control");
  plain_socket control(dial(to));
  open(control, to, "");
  start([&] { send_reports(control); });
  for (;;) {
    beast::flat_buffer buffer;
    control.read(buffer);
    string order = beast::buffers_to_string(buffer.data());
    start([=] { open_one(order); });
  }
}

int main(int count, char **arguments) {
  try {
    if (count > 2) run_client(arguments[2]);
    else run_server();
  } catch (const std::exception &e) {
    std::cerr << e.what() << '\n';
  }
  _exit(0); // other threads are still running
}
