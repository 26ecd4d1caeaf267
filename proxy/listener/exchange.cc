#include "proxy/listener/exchange.h"

#include "common/async/task_group.h"
#include "proxy/listener/request_id.h"
#include "proxy/route/route.h"

namespace heddle::listener {
namespace {

constexpr int kMaxInterim = 16;

}  // namespace

Exchange::Exchange(Ingress& ingress, Client& client, const Way& way, HttpScratch& scratch)
    : ingress_(ingress),
      core_(ingress.core),
      client_(client),
      way_(way),
      request_(scratch.request),
      response_(scratch.response),
      to_target_(scratch.to_target),
      to_client_(scratch.to_client) {
  to_client_.clear();
  const http::Framing& body = request_.body;
  if (body.kind == http::BodyKind::length && client_.in.size() >= body.length) {
    inline_body_ = client_.in.view().substr(0, static_cast<std::size_t>(body.length));
  } else {
    streams_body_ = body.kind != http::BodyKind::none;
  }
  const http::HeaderField* id = request_.find(http::FieldId::request_id);
  request_id_ = id ? std::string(id->value) : make_request_id(core_.random);
}

Task<After> Exchange::run() {
  const After next = co_await dispatch();
  if (!inline_body_.empty()) client_.in.consume(inline_body_.size());
  bytes_in_ = inline_body_.size() + body_.bytes();
  record();
  co_return next;
}

Task<After> Exchange::dispatch() {
  std::shared_ptr<upstream::Group> group = way_.own_group;
  if (way_.by_rules) {
    const auto config = ingress_.config;  // may be replaced while this request is under way
    const snapshot::Action* action = route::find_action(*config, request_);
    if (!action) {
      (void)co_await fail(Failure::no_rule);
      co_return after_;
    }
    if (const auto* fixed = std::get_if<snapshot::FixedResponse>(action)) {
      http::LocalResponse response;
      response.status = fixed->status;
      response.content_type = fixed->content_type;
      response.body = fixed->body;
      co_await answer(response);
      co_return after_;
    }
    if (const auto* redirect = std::get_if<snapshot::Redirect>(action)) {
      http::LocalResponse response;
      response.status = redirect->status;
      response.location = redirect->location;
      co_await answer(response);
      co_return after_;
    }
    const auto& forward = std::get<snapshot::Forward>(*action);
    group = core_.find_group(route::choose_group(forward, core_.random.next()));
  } else if (!group) {
    group = core_.find_group(way_.group);
  }
  if (!group) {
    (void)co_await fail(Failure::unknown_group);
    co_return after_;
  }
  co_return co_await forward(*group);  // `group` stays in this frame
}

Task<After> Exchange::forward(upstream::Group& group) {
  service_ = group.config().service;
  group.retries().count_request();
  while (true) {
    const Step step = co_await attempt(group);
    if (step == Step::finished) co_return after_;
    group.metrics().retried();
  }
}

bool Exchange::take_retry(upstream::Group& group) {
  return attempts_ < core_.settings.max_attempts && !client_.stream.aborted() &&
         group.retries().take();
}

bool Exchange::may_repeat() const {
  return request_.is_idempotent() && request_.body.kind == http::BodyKind::none &&
         request_.upgrade.empty();
}

bool Exchange::body_is_pending() const {
  return streams_body_ && !(body_.started() && body_.end() == RequestBody::End::whole);
}

// A drain ends the connection with its last request: those that the client sent at once, without
// waiting for answers, are all served.
bool Exchange::client_stays() const {
  if (!request_.keep_alive || body_is_pending()) return false;
  if (!client_.draining) return true;
  return !streams_body_ && (client_.in.size() > inline_body_.size() || client_.stream.has_unread());
}

Task<Exchange::Step> Exchange::attempt(upstream::Group& group) {
  std::vector<balance::Load*> tried;
  for (const auto& target : failed_) tried.push_back(&target->load());
  auto target = group.pick(tried, std::chrono::steady_clock::now());
  if (!target) {
    if (failure_ == Failure::none) group.metrics().no_target();
    co_return co_await fail(failure_ == Failure::none ? Failure::no_ready_target : failure_);
  }
  ++attempts_;
  target_ = target->label();
  upstream::Lease lease(target);
  if (fresh_only_ || !lease.reuse()) {
    const Deadline deadline = after(group.config().connect_timeout);
    const auto connected = co_await lease.connect(core_.executor, deadline);
    if (!connected) {
      failed_.push_back(target);
      failure_ = connected.error().code() == Errc::timeout ? Failure::connect_timeout
                                                           : Failure::connect_failed;
      if (take_retry(group)) co_return Step::retry;
      co_return co_await fail(failure_);
    }
  }
  co_return co_await send_and_receive(group, lease);
}

void Exchange::build_request(const upstream::Target& target) {
  http::RequestEdit edit;
  edit.host = target.label();
  edit.request_id = request_id_;
  if (way_.by_rules) {
    edit.forwarded = http::Forwarded{client_.address, "http", client_.local_port};
  }
  to_target_.clear();
  http::append_request(to_target_, request_, edit);
}

Task<Exchange::Step> Exchange::send_and_receive(upstream::Group& group, upstream::Lease& lease) {
  io::Stream& stream = lease.connection().stream;
  const PeerScope scope(client_, stream);
  response_begun_ = false;
  reusable_ = false;
  build_request(lease.target());
  lease.set_patience(streams_body_ ? upstream::Lease::Patience::long_body
                                   : upstream::Lease::Patience::brief);
  const auto sent = co_await send_request(lease);
  if (!sent) co_return co_await receive_failed(group, lease, sent.error());
  if (!*sent) {
    fresh_only_ = true;
    failure_ = Failure::target_closed;
    if (take_retry(group)) co_return Step::retry;
    co_return co_await fail(failure_);
  }
  if (!streams_body_) {
    const Step step = co_await receive(group, lease);
    if (reusable_) lease.give_back();
    co_return step;
  }
  body_.start(request_.body, core_.settings, ingress_.idle_timeout());
  TaskGroup copying(core_.executor);
  copying.spawn(body_.copy(client_, stream, group.config().request_timeout));
  const Step step = co_await receive(group, lease);
  if (body_is_pending()) {
    body_unread_ = true;
    if (after_ == After::keep) after_ = After::close;
    client_.stream.stop_reading();
    stream.abort();
  }
  co_await copying.join();
  if (reusable_ && !body_unread_) lease.give_back();
  co_return step;
}

Task<Result<bool>> Exchange::send_request(upstream::Lease& lease) {
  io::Pieces pieces{to_target_, inline_body_};
  const auto written = lease.connection().stream.write_now(pieces);
  if (!written) co_return false;
  pieces.consume(*written);
  if (pieces.size() == 0) co_return true;
  const auto rest =
      co_await lease.connection().stream.write_all(pieces, after(ingress_.idle_timeout()));
  if (!rest) co_return std::unexpected(rest.error());
  co_return true;
}

Task<Exchange::Step> Exchange::receive(upstream::Group& group, upstream::Lease& lease) {
  for (int interim = 0;; ++interim) {
    const bool copying = streams_body_ && body_.end() == RequestBody::End::running;
    // While the body is on its way its own limits hold; its end sets this one.
    const Deadline deadline = copying ? Deadline::max() : after(group.config().request_timeout);
    const auto head = co_await read_response_head(lease, deadline);
    if (!head) co_return co_await receive_failed(group, lease, head.error());
    if (response_.status >= 200 || response_.status == 101) break;
    if (interim == kMaxInterim) {
      const Error error(Errc::invalid, "too many 1xx");
      co_return co_await receive_failed(group, lease, error);
    }
    const auto passed = co_await pass_interim();
    if (!passed) co_return co_await fail(Failure::client_closed);
  }
  if (response_.status == 101 && (request_.upgrade.empty() || response_.upgrade.empty())) {
    const Error error(Errc::invalid, "101 was not asked for");
    co_return co_await receive_failed(group, lease, error);
  }
  lease.target().metrics().answered();
  status_ = response_.status;
  failure_ = Failure::none;  // of an attempt before
  if (response_.status == 101) co_return co_await tunnel(lease);
  co_return co_await relay_response(lease);
}

Failure Exchange::failure_of(const Error& error, const upstream::Lease& lease) const {
  if (lease.is_gone()) return Failure::target_gone;
  switch (error.code()) {
    case Errc::invalid:
      return Failure::bad_response;
    // With an errno it was the kernel that gave the peer up (TCP_USER_TIMEOUT).
    case Errc::timeout:
      return error.sys_errno() ? Failure::target_gone : Failure::response_timeout;
    default:
      return Failure::target_closed;
  }
}

Task<Exchange::Step> Exchange::receive_failed(upstream::Group& group, upstream::Lease& lease,
                                              const Error& error) {
  lease.target().metrics().failed();
  if (client_.stream.aborted()) co_return co_await fail(Failure::client_closed);
  if (body_.started()) {
    switch (body_.end()) {
      case RequestBody::End::malformed:
        co_return co_await fail(Failure::body_malformed);
      case RequestBody::End::timeout:
        co_return co_await fail(Failure::body_timeout);
      case RequestBody::End::client_closed:
        co_return co_await fail(Failure::client_closed);
      default:
        break;
    }
  }
  failure_ = failure_of(error, lease);
  if (failure_ == Failure::target_gone && !lease.is_gone()) {
    lease.target().remember_failure(std::chrono::steady_clock::now());
  }
  const bool lost =
      failure_ == Failure::target_gone || (failure_ == Failure::target_closed && lease.reused());
  if (lost && !response_begun_ && may_repeat() && take_retry(group)) {
    fresh_only_ = true;
    co_return Step::retry;
  }
  co_return co_await fail(failure_);
}

Task<Exchange::Step> Exchange::fail(Failure failure) {
  failure_ = failure;
  status_ = status_of(failure);
  if (failure == Failure::client_closed) {
    after_ = After::closed;
    client_.stream.close();
    co_return Step::finished;
  }
  if (failure == Failure::body_malformed && body_.refusal()) {
    core_.metrics.count_refused(http::name_of(*body_.refusal()));
  } else if (failure == Failure::body_timeout) {
    core_.metrics.count_refused(name_of(failure));
  }
  const std::string body = error_body(name_of(failure), text_of(failure));
  http::LocalResponse response;
  response.status = status_;
  response.content_type = kErrorType;
  response.body = body;
  co_await answer(response);
  co_return Step::finished;
}

Task<> Exchange::answer(http::LocalResponse& response) {
  status_ = response.status;
  if (body_is_pending()) body_unread_ = true;
  const bool keep = client_stays();
  response.close = !keep;
  response.to_head = request_.is_head();
  to_client_.clear();
  http::append_local(to_client_, response);
  after_ = keep ? After::keep : After::close;
  (void)co_await flush();
}

void Exchange::record() {
  const auto duration = std::chrono::steady_clock::now() - started_;
  ingress_.requests_of(service_).finished(status_, duration);
  if (!core_.access_log.wants(status_)) return;
  telemetry::AccessRecord record;
  record.at = std::chrono::system_clock::now();
  record.kind = "http";
  record.listener = ingress_.config->name;
  record.client = client_.address;
  record.method = request_.method;
  record.host = request_.host;
  record.path = request_.path;
  record.status = status_;
  record.reason = name_of(failure_);
  record.request_id = request_id_;
  record.service = service_;
  record.target = target_;
  record.attempts = attempts_;
  record.bytes_in = bytes_in_;
  record.bytes_out = bytes_out_;
  record.duration = duration;
  core_.access_log.write(record);
}

}  // namespace heddle::listener
