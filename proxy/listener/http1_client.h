#pragma once
#include <string>

#include "proxy/http/body_decoder.h"
#include "proxy/listener/client.h"
#include "proxy/listener/client_stream.h"
#include "proxy/listener/ingress.h"

namespace heddle::listener {

// What is kept between the requests of a connection, so that the next one allocates little.
struct HttpScratch {
  http::RequestHead request;
  std::string to_client;
};

enum class After { keep, close, closed };  // closed: there is nothing left to be polite to

// A request on an HTTP/1 connection. Threads: the core's.
class Http1Client final : public ClientStream {
 public:
  // The head stands in `scratch`, what follows it in `client.in`.
  Http1Client(Ingress& ingress, Client& client, HttpScratch& scratch);

  // To be called once the exchange has ended: what becomes of the connection.
  After end();
  bool body_unread() const { return body_unread_; }

  http::RequestHead& request() override { return request_; }
  std::string_view address() const override { return client_.address; }
  std::uint16_t local_port() const override { return client_.local_port; }
  std::string_view scheme() const override { return "http"; }
  bool gone() const override { return client_.stream.aborted(); }

  std::string_view whole_body() const override { return inline_body_; }
  bool streams_body() const override { return streams_body_; }
  Result<io::BodyPiece> peek_body() override;
  void take_body(std::size_t bytes) override;
  Task<Result<>> wait_body(Deadline deadline) override;
  std::string_view trailers() const override { return decoder_.trailers(); }
  std::optional<http::Refusal> body_refusal() const override { return refusal_; }
  void stop_body() override;

  Task<bool> send_interim(const http::ResponseHead& head) override;
  void begin(const http::ResponseHead& head) override;
  Task<bool> send(std::string_view data) override;
  Task<bool> flush() override;
  Task<bool> finish(std::string_view trailers) override;
  Task<> answer(http::LocalResponse& response) override;
  void cut() override;
  void abandon() override;
  bool answer_begun() const override { return head_sent_; }
  std::uint64_t bytes_out() const override { return bytes_out_; }

  std::optional<RelayEnd> raw() override { return RelayEnd{client_.stream, client_.in}; }
  void set_peer(io::Abortable* peer) override { client_.peer = peer; }

 private:
  bool body_is_pending() const { return streams_body_ && !body_ended_; }
  bool stays() const;

  Ingress& ingress_;
  Client& client_;
  http::RequestHead& request_;
  std::string& to_client_;
  std::string_view inline_body_;
  bool streams_body_ = false;
  bool body_ended_ = false;
  bool body_unread_ = false;
  bool head_sent_ = false;
  http::BodyKind kind_ = http::BodyKind::none;  // of the response, as it goes to the client
  After after_ = After::close;
  http::BodyDecoder decoder_;
  std::size_t piece_consumed_ = 0;
  std::optional<http::Refusal> refusal_;
  std::uint64_t bytes_out_ = 0;
};

}  // namespace heddle::listener
