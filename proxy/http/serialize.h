#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proxy/http/message.h"

// Heads as the proxy writes them: its own framing, no hop-by-hop fields, nothing taken over that
// was not understood.
namespace heddle::http {

// Not to be passed on: it belongs to one connection, or the writer states it itself.
bool belongs_to_connection(const HeaderField& field);
bool is_forwarded(FieldId id);  // X-Forwarded-*

// What a load balancer tells its targets about the client. Views live as long as the call.
struct Forwarded {
  std::string_view client;  // appended to X-Forwarded-For
  std::string_view proto;   // "http"
  std::uint16_t port = 0;   // of the listener
};

struct RequestEdit {
  std::string_view host;        // for a request that has none
  std::string_view request_id;  // for a request that has none; empty: leave out
  std::optional<Forwarded> forwarded;
  std::string_view rewritten_host;  // instead of the request's; X-Forwarded-Host still says that
};
void append_request(std::string& out, const RequestHead& head, const RequestEdit& edit);

// How the response's body goes to the client, which may differ from how it came.
struct ResponseEdit {
  Framing body;
  bool close = false;       // tell the client that this connection ends
  bool keep_alive = false;  // an HTTP/1.0 client has to be told
};
void append_response(std::string& out, const ResponseHead& head, const ResponseEdit& edit);

// 1xx: the status line and the fields that pass.
void append_interim(std::string& out, const ResponseHead& head);

// `<size>\r\n` of a chunk; the data and "\r\n" follow it.
void append_chunk_size(std::string& out, std::size_t size);

// A response made here. `error` is a short stable word that the access log has too.
struct LocalResponse {
  int status = 500;
  std::string_view content_type;
  std::string_view body;
  std::string_view location;              // redirects
  std::span<const HeaderField> fields{};  // more of them
  bool close = true;
  bool to_head = false;  // write the head only
};
void append_local(std::string& out, const LocalResponse& response);

std::string_view reason_phrase(int status);

}  // namespace heddle::http
