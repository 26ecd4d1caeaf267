// What the listener's rules say to an exchange, before it has a target.
#include <algorithm>
#include <boost/asio/steady_timer.hpp>

#include "proxy/listener/exchange.h"
#include "proxy/route/redirect.h"

namespace heddle::listener {
namespace {

constexpr std::uint64_t kMillion = 1'000'000;
constexpr std::chrono::milliseconds kFaultStep{100};  // how soon a delay notices an end

}  // namespace

Task<const snapshot::Forward*> Exchange::follow_rules() {
  table_ = ingress_.table;
  decision_ = table_->find(request_, client_.address());
  if (!decision_.action) {
    (void)co_await fail(Failure::no_rule);
    co_return nullptr;
  }
  if (decision_.limiter) {
    const auto wait =
        decision_.limiter->refuse(client_.address(), std::chrono::steady_clock::now());
    if (wait) {
      retry_after_ = std::to_string(std::chrono::ceil<std::chrono::seconds>(*wait).count());
      (void)co_await fail(Failure::rate_limited);
      co_return nullptr;
    }
  }
  const auto& fault = decision_.treatment->fault;
  if (fault) {
    const bool passed = co_await pass_fault(*fault);
    if (!passed) co_return nullptr;
  }
  if (const auto* fixed = std::get_if<snapshot::FixedResponse>(decision_.action)) {
    co_await answer_fixed(*fixed);
    co_return nullptr;
  }
  if (const auto* redirect = std::get_if<snapshot::Redirect>(decision_.action)) {
    co_await answer_redirect(*redirect);
    co_return nullptr;
  }
  edit_request();
  co_return &std::get<snapshot::Forward>(*decision_.action);
}

Task<bool> Exchange::pass_fault(const snapshot::Fault& fault) {
  if (core_.random.below(kMillion) < fault.delay_ppm) {
    const Deadline until = after(fault.delay);
    asio::steady_timer timer(core_.executor);
    while (std::chrono::steady_clock::now() < until && !client_.gone()) {
      timer.expires_at(std::min(until, after(kFaultStep)));
      const auto [ec] = co_await timer.async_wait(nothrow);
      (void)ec;
    }
  }
  if (core_.random.below(kMillion) >= fault.abort_ppm) co_return true;
  failure_ = Failure::fault_injected;
  const std::string body = error_body(name_of(failure_), text_of(failure_));
  http::LocalResponse response;
  response.status = fault.abort_status;
  response.content_type = kErrorType;
  response.body = body;
  co_await answer(response);
  co_return false;
}

Task<> Exchange::answer_fixed(const snapshot::FixedResponse& fixed) {
  std::vector<http::HeaderField> fields;
  edits_.apply(decision_.treatment->response_headers, fields);
  http::LocalResponse response;
  response.status = fixed.status;
  response.content_type = fixed.content_type;
  response.body = fixed.body;
  response.fields = fields;
  co_await answer(response);
}

Task<> Exchange::answer_redirect(const snapshot::Redirect& redirect) {
  std::vector<http::HeaderField> fields;
  edits_.apply(decision_.treatment->response_headers, fields);
  const route::Arrival arrival{client_.scheme(), client_.local_port()};
  const std::string location = route::location_of(redirect, request_, arrival);
  http::LocalResponse response;
  response.status = redirect.status;
  response.location = location;
  response.fields = fields;
  co_await answer(response);
}

void Exchange::edit_request() {
  if (decision_.rewriter) {
    if (auto target = decision_.rewriter->target_for(request_)) {
      request_.target = edits_.keep(*std::move(target));
      request_.path_is_root = false;
    }
  }
  edits_.apply(decision_.treatment->request_headers, request_.fields);
}

const std::string& Exchange::choose_group(const snapshot::Forward& forward) {
  const auto& sticky = forward.sticky;
  if (sticky) {
    const auto cookie = route::cookie_of(request_, sticky->cookie);
    const std::uint64_t key = cookie ? route::parse_cookie(*cookie) : 0;
    for (const auto& group : forward.groups) {
      if (key && group.weight > 0 && route::key_of(group.group) == key) return group.group;
    }
  }
  const std::string& chosen = route::choose_group(forward, core_.random.next());
  if (sticky) group_cookie_ = route::format_cookie(*sticky, route::key_of(chosen));
  return chosen;
}

void Exchange::edit_response(const upstream::Group& group, const upstream::Target& target) {
  if (decision_.treatment) {
    edits_.apply(decision_.treatment->response_headers, response_.fields);
  }
  const auto add_cookie = [&](std::string value) {
    response_.fields.push_back({"Set-Cookie", edits_.keep(std::move(value))});
  };
  if (!group_cookie_.empty()) add_cookie(group_cookie_);
  const auto& sticky = group.config().sticky;
  const std::uint64_t key = target.load().key;
  if (sticky && key != affinity_.sticky) add_cookie(route::format_cookie(*sticky, key));
}

Task<Exchange::Step> Exchange::turn_away(upstream::Group& group) {
  group.metrics().overloaded();
  retry_after_ = "1";
  co_return co_await fail(Failure::overloaded);
}

bool Exchange::is_retried(const upstream::Group& group, int status) const {
  const auto& policy = group.config().retry;
  return policy && may_repeat() &&
         std::ranges::find(policy->statuses, status) != policy->statuses.end();
}

// With a policy the time-out is of all attempts together.
Deadline Exchange::answer_deadline(const upstream::Group& group) const {
  const auto& policy = group.config().retry;
  if (!policy || !policy->per_try || body_.started()) return after(response_timeout(group));
  return std::min(started_ + response_timeout(group), sent_at_ + *policy->per_try);
}

std::chrono::milliseconds Exchange::response_timeout(const upstream::Group& group) const {
  // The client says itself how long it waits; a stream's head may come with its first message.
  const auto request = grpc_ ? stream_idle() : group.config().request_timeout;
  return decision_.treatment ? decision_.treatment->timeout.value_or(request) : request;
}

std::chrono::milliseconds Exchange::stream_idle() const {
  return grpc_ ? core_.settings.tunnel_idle : ingress_.idle_timeout();
}

}  // namespace heddle::listener
