#include "proxy/listener/exchange.h"

#include "common/async/task_group.h"
#include "proxy/listener/grpc.h"
#include "proxy/listener/request_id.h"
#include "proxy/route/route.h"
#include "proxy/route/trace.h"

namespace heddle::listener {
namespace {

constexpr int kMaxInterim = 16;

}  // namespace

Exchange::Exchange(Ingress& ingress, ClientStream& client, const Way& way, ExchangeScratch& scratch)
    : ingress_(ingress),
      core_(ingress.core),
      client_(client),
      way_(way),
      request_(client.request()),
      response_(scratch.response),
      to_target_(scratch.to_target),
      grpc_(is_grpc(request_)),
      grpc_timeout_(grpc_ ? grpc_timeout(request_) : std::nullopt) {
  const http::HeaderField* id = request_.find(http::FieldId::request_id);
  request_id_ = id ? std::string(id->value) : make_request_id(core_.random);
}

Task<> Exchange::run() {
  co_await dispatch();
  record();
}

Task<> Exchange::dispatch() {
  std::shared_ptr<upstream::Group> group = way_.own_group;
  if (way_.by_rules) {
    const snapshot::Forward* chosen = co_await follow_rules();
    if (!chosen) co_return;
    group = core_.find_group(choose_group(*chosen));
  } else if (!group) {
    group = core_.find_group(way_.group);
  }
  if (!group) {
    (void)co_await fail(Failure::unknown_group);
    co_return;
  }
  co_await forward(*group);  // `group` stays in this frame
}

Task<> Exchange::forward(upstream::Group& group) {
  service_ = group.config().service;
  affinity_ = route::affinity_of(group.config(), request_, client_.address());
  const auto place = group.take(&upstream::Budgets::requests);
  if (!place) {
    (void)co_await turn_away(group);
    co_return;
  }
  group.retries().count_request();
  while (true) {
    const Step step = co_await attempt(group);
    if (step == Step::finished) co_return;
    group.metrics().retried();
  }
}

bool Exchange::take_retry(upstream::Group& group) {
  const auto& policy = group.config().retry;
  const int most = policy ? policy->attempts : core_.settings.max_attempts;
  if (attempts_ >= most || client_.gone()) return false;
  if (!retry_place_) retry_place_ = group.take(&upstream::Budgets::retries);
  return retry_place_ && group.retries().take();
}

bool Exchange::may_repeat() const {
  return request_.is_idempotent() && request_.body.kind == http::BodyKind::none &&
         request_.upgrade.empty();
}

Task<Exchange::Step> Exchange::attempt(upstream::Group& group) {
  std::vector<balance::Load*> tried;
  for (const auto& target : failed_) tried.push_back(&target->load());
  const std::size_t never = tried.size();
  for (const auto& target : avoided_) tried.push_back(&target->load());
  const Deadline now = std::chrono::steady_clock::now();
  auto target = group.pick(tried, now, affinity_);
  if (!target && tried.size() > never) {
    target = group.pick(std::span(tried).first(never), now, affinity_);
  }
  if (!target) {
    if (failure_ == Failure::none) group.metrics().no_target();
    co_return co_await fail(failure_ == Failure::none ? Failure::no_ready_target : failure_);
  }
  ++attempts_;
  target_ = target->label();
  upstream::Lease lease(target);
  const auto connected = co_await connect(group, lease);
  if (!connected) {
    if (client_.gone()) co_return co_await fail(Failure::client_closed);
    if (connected.error().code() == Errc::exhausted) co_return co_await turn_away(group);
    group.judge(*target, false, std::chrono::steady_clock::now());
    failed_.push_back(target);
    failure_ = connected.error().code() == Errc::timeout ? Failure::connect_timeout
                                                         : Failure::connect_failed;
    if (take_retry(group)) co_return Step::retry;
    co_return co_await fail(failure_);
  }
  co_return co_await send_and_receive(group, lease);
}

bool Exchange::speaks_http2(const upstream::Group& group) const {
  using snapshot::Protocol;
  const Protocol protocol = group.config().protocol;
  return protocol == Protocol::http2 || (protocol == Protocol::detect && way_.detected_http2);
}

// Errors: `exhausted` when a budget is used up.
Task<Result<>> Exchange::connect(upstream::Group& group, upstream::Lease& lease) {
  const Deadline deadline = after(group.config().connect_timeout);
  const bool shares = speaks_http2(group);
  std::optional<upstream::Group::Place> pending;
  if (!(shares ? lease.has_shared() : !fresh_only_ && lease.reuse())) {
    pending = group.take(&upstream::Budgets::pending);
    auto open = group.take(&upstream::Budgets::connections);
    if (!pending || !open) co_return heddle::fail(Errc::exhausted, "too many connections");
    lease.hold(std::move(open->of_group), std::move(open->of_all));
    if (!shares) {
      const auto connected = co_await lease.connect(core_.executor, deadline);
      if (!connected) co_return connected;
    }
  }
  if (shares) {
    co_return co_await lease.share(core_.shared_connections, core_.executor,
                                   core_.settings.http2_upstream, deadline);
  }
  lease.begin_http1(core_.settings.limits, to_target_);
  co_return Result<>();
}

http::RequestEdit Exchange::edit_for(const upstream::Target& target) const {
  http::RequestEdit edit;
  edit.host = target.label();
  edit.request_id = request_id_;
  if (way_.by_rules) {
    edit.forwarded = http::Forwarded{client_.address(), client_.scheme(), client_.local_port()};
    if (decision_.rewriter) edit.rewritten_host = decision_.rewriter->host();
  }
  return edit;
}

Task<Exchange::Step> Exchange::send_and_receive(upstream::Group& group, upstream::Lease& lease) {
  upstream::TargetStream& target = lease.stream();
  const PeerScope scope(client_, target);
  const bool streams = client_.streams_body();
  whole_response_ = false;
  lease.set_patience(streams ? upstream::Lease::Patience::long_body
                             : upstream::Lease::Patience::brief);
  const http::RequestEdit edit = edit_for(lease.target());
  const upstream::TargetStream::Request request{request_, edit, client_.whole_body(), streams};
  sent_at_ = std::chrono::steady_clock::now();
  const auto sent = co_await target.send_request(request, after(ingress_.idle_timeout()));
  if (!sent) co_return co_await receive_failed(group, lease, sent.error());
  if (!*sent) {
    fresh_only_ = true;
    failure_ = Failure::target_closed;
    if (take_retry(group)) co_return Step::retry;
    co_return co_await fail(failure_);
  }
  if (!streams) {
    const Step step = co_await receive(group, lease);
    if (whole_response_) lease.give_back();
    co_return step;
  }
  body_.start(core_.settings, ingress_.idle_timeout());
  if (grpc_) body_.relax(stream_idle());
  TaskGroup copying(core_.executor);
  copying.spawn(body_.copy(client_, target, response_timeout(group)));
  const Step step = co_await receive(group, lease);
  if (body_.end() == RequestBody::End::running) {
    client_.stop_body();
    target.abort();
  }
  co_await copying.join();
  if (whole_response_ && body_.end() == RequestBody::End::whole) lease.give_back();
  co_return step;
}

Task<Exchange::Step> Exchange::receive(upstream::Group& group, upstream::Lease& lease) {
  for (int interim = 0;; ++interim) {
    const bool copying = body_.started() && body_.end() == RequestBody::End::running;
    // While the body is on its way its own limits hold; its end sets this one.
    Deadline deadline = copying ? Deadline::max() : answer_deadline(group);
    if (grpc_timeout_) deadline = started_ + *grpc_timeout_;
    const http::ResponseContext context{.to_head = request_.is_head()};
    const auto head = co_await lease.stream().read_head(response_, context, deadline);
    if (!head) co_return co_await receive_failed(group, lease, head.error());
    if (response_.status >= 200 || response_.status == 101) break;
    if (interim == kMaxInterim) {
      const Error error(Errc::invalid, "too many 1xx");
      co_return co_await receive_failed(group, lease, error);
    }
    const bool passed = co_await client_.send_interim(response_);
    if (!passed) co_return co_await fail(Failure::client_closed);
  }
  if (response_.status == 101 && (request_.upgrade.empty() || response_.upgrade.empty())) {
    const Error error(Errc::invalid, "101 was not asked for");
    co_return co_await receive_failed(group, lease, error);
  }
  const Deadline now = std::chrono::steady_clock::now();
  lease.target().answered(now - sent_at_, now);
  group.judge(lease.target(), response_.status < 500, now);
  if (is_retried(group, response_.status) && take_retry(group)) {
    avoided_.push_back(lease.shared_target());
    co_return Step::retry;
  }
  status_ = response_.status;
  failure_ = Failure::none;  // of an attempt before
  if (response_.status == 101) co_return co_await tunnel(lease);
  co_return co_await relay_response(group, lease);
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
  if (client_.gone()) co_return co_await fail(Failure::client_closed);
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
  const bool raced = lease.reused() && failure_ == Failure::target_closed;
  if (!lease.is_gone() && !raced) {
    group.judge(lease.target(), false, std::chrono::steady_clock::now());
  }
  const auto& policy = group.config().retry;
  if (failure_ == Failure::response_timeout && policy && policy->on_timeout && may_repeat() &&
      take_retry(group)) {
    avoided_.push_back(lease.shared_target());
    co_return Step::retry;
  }
  if (failure_ == Failure::target_gone && !lease.is_gone()) {
    lease.target().remember_failure(std::chrono::steady_clock::now());
  }
  if (lease.stream().untouched() && !body_.started() && take_retry(group)) {
    avoided_.push_back(lease.shared_target());
    fresh_only_ = true;
    co_return Step::retry;
  }
  const bool lost =
      failure_ == Failure::target_gone || (failure_ == Failure::target_closed && lease.reused());
  if (lost && !lease.stream().answer_begun() && may_repeat() && take_retry(group)) {
    fresh_only_ = true;
    co_return Step::retry;
  }
  co_return co_await fail(failure_);
}

Task<Exchange::Step> Exchange::fail(Failure failure) {
  failure_ = failure;
  status_ = status_of(failure);
  if (failure == Failure::client_closed) {
    client_.abandon();
    co_return Step::finished;
  }
  if (failure == Failure::body_malformed && client_.body_refusal()) {
    core_.metrics.count_refused(http::name_of(*client_.body_refusal()));
  } else if (failure == Failure::body_timeout) {
    core_.metrics.count_refused(name_of(failure));
  }
  const std::string body = error_body(name_of(failure), text_of(failure));
  http::LocalResponse response;
  response.status = status_;
  response.content_type = kErrorType;
  response.body = body;
  const http::HeaderField retry_after{"Retry-After", retry_after_};
  if (!retry_after_.empty()) response.fields = {&retry_after, 1};
  // A gRPC client understands a status of its own better; log and metrics say what it is in HTTP.
  const http::HeaderField grpc[] = {{"Content-Type", "application/grpc"},
                                    {"Grpc-Status", grpc_status_of(failure)},
                                    {"Grpc-Message", text_of(failure)}};
  if (grpc_) {
    response.status = 200;
    response.body = {};
    response.fields = grpc;
  }
  co_await client_.answer(response);
  co_return Step::finished;
}

Task<> Exchange::answer(http::LocalResponse& response) {
  status_ = response.status;
  co_await client_.answer(response);
}

void Exchange::record() {
  const auto duration = std::chrono::steady_clock::now() - started_;
  ingress_.requests_of(service_).finished(status_, duration);
  if (!core_.access_log.wants(status_)) return;
  telemetry::AccessRecord record;
  record.at = std::chrono::system_clock::now();
  record.kind = "http";
  record.listener = ingress_.config->name;
  record.client = client_.address();
  record.method = request_.method;
  record.host = request_.host;
  record.path = request_.path;
  record.status = status_;
  record.reason = name_of(failure_);
  record.request_id = request_id_;
  record.trace_id = route::trace_id_of(request_);
  record.service = service_;
  record.target = target_;
  record.attempts = attempts_;
  record.bytes_in = client_.whole_body().size() + body_.bytes();
  record.bytes_out = client_.bytes_out() + tunneled_;
  record.duration = duration;
  core_.access_log.write(record);
}

}  // namespace heddle::listener
