#pragma once
#include <string>

#include "proxy/http2/session.h"
#include "proxy/io/signal.h"
#include "proxy/listener/client.h"
#include "proxy/listener/client_stream.h"
#include "proxy/listener/ingress.h"

namespace heddle::listener {

// A request on a stream of an HTTP/2 connection. Threads: the core's.
class Http2Client final : public ClientStream, public http2::Stream {
 public:
  // All are the caller's for as long as this lives.
  Http2Client(Ingress& ingress, Client& connection, http2::Session& session);

  // Reads the head as HTTP/1 would have it.
  std::optional<http::Refusal> judge();
  Task<> refuse(http::Refusal refusal);
  // Until the response has left, or nobody takes it; then the rest of the request is declined.
  Task<> finish_sending();

  http::RequestHead& request() override { return request_; }
  std::string_view address() const override { return connection_.address; }
  std::uint16_t local_port() const override { return connection_.local_port; }
  std::string_view scheme() const override { return "http"; }
  bool gone() const override { return connection_.stream.aborted() || is_over(); }

  std::string_view whole_body() const override { return whole_ ? body() : std::string_view(); }
  bool streams_body() const override { return streams_; }
  Result<io::BodyPiece> peek_body() override;
  void take_body(std::size_t bytes) override { session_.consume(*this, bytes); }
  Task<Result<>> wait_body(Deadline deadline) override;
  std::string_view trailers() const override { return http2::Stream::trailers(); }
  std::optional<http::Refusal> body_refusal() const override { return std::nullopt; }
  void stop_body() override;

  Task<bool> send_interim(const http::ResponseHead& head) override;
  void begin(const http::ResponseHead& head) override;
  Task<bool> send(std::string_view data) override;
  Task<bool> flush() override;
  Task<bool> finish(std::string_view trailers) override;
  Task<> answer(http::LocalResponse& response) override;
  void cut() override;
  void abandon() override;
  bool answer_begun() const override { return begun_; }
  std::uint64_t bytes_out() const override { return bytes_out_; }

  std::optional<RelayEnd> raw() override { return std::nullopt; }
  void set_peer(io::Abortable* peer) override { peer_ = peer; }

 private:
  void on_came() override;
  void on_room() override { room_.notify(); }
  void commit_head(http2::Session::Body body);

  Ingress& ingress_;
  Client& connection_;
  http2::Session& session_;
  http::RequestHead request_;
  http2::FieldBlock head_;
  io::Signal came_;
  io::Signal room_;
  io::Abortable* peer_ = nullptr;
  bool whole_ = false;
  bool streams_ = false;
  bool body_stopped_ = false;
  bool bodiless_ = false;  // the response
  bool begun_ = false;
  bool finished_ = false;
  std::uint64_t bytes_out_ = 0;
};

}  // namespace heddle::listener
