#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "proxy/listener/client_stream.h"
#include "proxy/listener/ingress.h"
#include "proxy/listener/local_answer.h"
#include "proxy/listener/request_body.h"
#include "proxy/listener/way.h"
#include "proxy/upstream/lease.h"

namespace heddle::listener {

// What an exchange needs beside the client's side, kept by whoever has many of them.
struct ExchangeScratch {
  http::ResponseHead response;
  std::string to_target;
};

// One request and its response. Tries targets until one answers, the client cannot be served, or a
// retry could repeat an effect:
//
//   what failed                       | sent so far    | next
//   connecting                        | nothing        | another target
//   writing, not one byte taken       | nothing        | same rules, new connection
//   a kept-alive connection closed    | the request    | again if idempotent and without body
//   the target is gone, no response   | the request    | again if idempotent and without body
//   an HTTP/2 target says it did not  | the request    | again, unless the body is being copied
//     look at it (REFUSED_STREAM, or  |                |
//     above GOAWAY's last stream)     |                |
//   anything after a response byte    |                | 502, or the response ends early
//
// Neither side's protocol matters here. Threads: the core's. Lives inside the session's coroutine.
class Exchange {
 public:
  Exchange(Ingress& ingress, ClientStream& client, const Way& way, ExchangeScratch& scratch);

  Task<> run();

 private:
  enum class Step { finished, retry };

  Task<> dispatch();
  // By the listener's rules: where to forward to, or nullptr when the request has been answered.
  Task<const snapshot::Forward*> follow_rules();
  Task<bool> pass_fault(const snapshot::Fault& fault);  // false: it was answered
  Task<> answer_fixed(const snapshot::FixedResponse& fixed);
  Task<> answer_redirect(const snapshot::Redirect& redirect);
  void edit_request();
  const std::string& choose_group(const snapshot::Forward& forward);
  void edit_response(const upstream::Group& group, const upstream::Target& target);
  Task<> forward(upstream::Group& group);
  Task<Step> attempt(upstream::Group& group);
  Task<Result<>> connect(upstream::Group& group, upstream::Lease& lease);
  bool speaks_http2(const upstream::Group& group) const;
  Task<Step> send_and_receive(upstream::Group& group, upstream::Lease& lease);
  Task<Step> receive(upstream::Group& group, upstream::Lease& lease);
  Task<Step> receive_failed(upstream::Group& group, upstream::Lease& lease, const Error& error);

  Task<Step> relay_response(upstream::Group& group, upstream::Lease& lease);
  Task<Failure> relay_body(upstream::TargetStream& target);
  Task<Step> tunnel(upstream::Lease& lease);

  Task<Step> fail(Failure failure);
  Task<Step> turn_away(upstream::Group& group);  // a budget is used up
  Task<> answer(http::LocalResponse& response);
  bool take_retry(upstream::Group& group);
  bool may_repeat() const;
  Failure failure_of(const Error& error, const upstream::Lease& lease) const;
  http::RequestEdit edit_for(const upstream::Target& target) const;
  bool is_retried(const upstream::Group& group, int status) const;
  Deadline answer_deadline(const upstream::Group& group) const;
  std::chrono::milliseconds response_timeout(const upstream::Group& group) const;
  // How long either side may be silent within a request.
  std::chrono::milliseconds stream_idle() const;
  void record();

  Ingress& ingress_;
  Core& core_;
  ClientStream& client_;
  const Way& way_;
  http::RequestHead& request_;
  http::ResponseHead& response_;
  std::string& to_target_;
  // Of the rules; the configuration may be replaced while this request is under way.
  std::shared_ptr<const route::Table> table_;
  route::Decision decision_;
  route::Edits edits_;
  std::string group_cookie_;  // to be set, so that the client comes back to the group
  route::Affinity affinity_;
  Deadline sent_at_;
  std::string retry_after_;  // seconds, for an answer of our own

  const Deadline started_ = std::chrono::steady_clock::now();
  const bool grpc_;
  const std::optional<std::chrono::milliseconds> grpc_timeout_;
  RequestBody body_;
  bool whole_response_ = false;  // came, so that the target's connection may serve another request
  bool fresh_only_ = false;      // a kept-alive connection has failed already

  std::vector<std::shared_ptr<upstream::Target>> failed_;   // connecting to them failed
  std::vector<std::shared_ptr<upstream::Target>> avoided_;  // they answered badly: others first
  std::optional<upstream::Group::Place> retry_place_;
  int attempts_ = 0;
  int status_ = 0;
  Failure failure_ = Failure::none;
  std::string request_id_;
  std::string service_;
  std::string target_;
  std::uint64_t tunneled_ = 0;  // bytes to the client after 101
};

}  // namespace heddle::listener
