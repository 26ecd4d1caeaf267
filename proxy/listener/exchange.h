#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "proxy/http/body_decoder.h"
#include "proxy/http/serialize.h"
#include "proxy/listener/client.h"
#include "proxy/listener/http_session.h"
#include "proxy/listener/ingress.h"
#include "proxy/listener/local_answer.h"
#include "proxy/listener/request_body.h"
#include "proxy/upstream/lease.h"

namespace heddle::listener {

enum class After { keep, close, closed };  // closed: there is nothing left to be polite to

// One request and its response. Tries targets until one answers, the client cannot be served, or a
// retry could repeat an effect:
//
//   what failed                       | sent so far    | next
//   connecting                        | nothing        | another target
//   writing, not one byte taken       | nothing        | same rules, new connection
//   a kept-alive connection closed    | the request    | again if idempotent and without body
//   the target is gone, no response   | the request    | again if idempotent and without body
//   anything after a response byte    |                | 502, or the response ends early
//
// Threads: the core's. Lives inside the session's coroutine.
class Exchange {
 public:
  Exchange(Ingress& ingress, Client& client, const Way& way, HttpScratch& scratch);

  Task<After> run();
  bool body_unread() const { return body_unread_; }

 private:
  enum class Step { finished, retry };

  Task<After> dispatch();
  Task<After> forward(upstream::Group& group);
  Task<Step> attempt(upstream::Group& group);
  Task<Step> send_and_receive(upstream::Group& group, upstream::Lease& lease);
  Task<Step> receive(upstream::Group& group, upstream::Lease& lease);
  Task<Step> receive_failed(upstream::Group& group, upstream::Lease& lease, const Error& error);

  // Value: false if not one byte was taken.
  Task<Result<bool>> send_request(upstream::Lease& lease);
  Task<Result<>> read_response_head(upstream::Lease& lease, Deadline deadline);
  Task<Result<>> pass_interim();
  Task<Step> relay_response(upstream::Lease& lease);
  Task<Failure> relay_body(upstream::Lease& lease, http::BodyKind to_client);
  Task<bool> pass(std::string_view data, http::BodyKind to_client);  // false: the client is gone
  Task<bool> flush();
  Task<Step> tunnel(upstream::Lease& lease);

  Task<Step> fail(Failure failure);
  Task<> answer(http::LocalResponse& response);
  bool take_retry(upstream::Group& group);
  bool may_repeat() const;
  bool body_is_pending() const;
  bool client_stays() const;
  Failure failure_of(const Error& error, const upstream::Lease& lease) const;
  void build_request(const upstream::Target& target);
  void record();

  Ingress& ingress_;
  Core& core_;
  Client& client_;
  const Way& way_;
  http::RequestHead& request_;
  http::ResponseHead& response_;
  std::string& to_target_;
  std::string& to_client_;

  const Deadline started_ = std::chrono::steady_clock::now();
  std::string_view inline_body_;  // the whole body, when it came with the head
  bool streams_body_ = false;
  RequestBody body_;
  bool body_unread_ = false;
  bool response_begun_ = false;  // a byte came from the current target
  bool head_sent_ = false;       // a byte of the final response went to the client
  bool reusable_ = false;        // the target's connection may serve another request
  bool fresh_only_ = false;      // a kept-alive connection has failed already
  After after_ = After::close;

  std::vector<std::shared_ptr<upstream::Target>> failed_;  // connecting to them failed
  int attempts_ = 0;
  int status_ = 0;
  Failure failure_ = Failure::none;
  std::string request_id_;
  std::string service_;
  std::string target_;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
};

}  // namespace heddle::listener
